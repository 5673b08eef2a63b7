"""Something that a training did besides following its plan."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something that a training did besides following its plan.

    Attributes:
        step: the step of the run, counted from 0, at which it was noticed.
        text: what happened and what was done about it.
        factor: what the planned rate is multiplied by from here on.

    Example:
    >>> import keras, numpy as np, keras_lr
    >>> x = np.linspace(-1, 1, 256, dtype="float32")[:, None]
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer=keras.optimizers.SGD(100.0), loss="mse")
    >>> guard = keras_lr.callbacks.Guard()
    >>> history = model.fit(x, 3 * x, epochs=2, verbose=0, callbacks=[guard])
    >>> print(guard.events[0])
    step 8: 0.1 of the planned rate did better from the same weights and is kept
    >>> [event.factor for event in guard.events]
    [0.1, 0.01]
    """

    step: int
    text: str
    factor: float

    def __str__(self) -> str:
        return f"step {self.step}: {self.text}"
