"""Which way a measure in the logs of `fit` is better, as Keras' callbacks find it."""

import keras

MODES = ("auto", "min", "max")


def higher_is_better(model: keras.Model, monitor: str, mode: str) -> bool:
    """Return whether more of a measure is better, as for an accuracy.

    Args:
        model: built; it knows its metrics.
        monitor: a name in the logs of `fit`.
        mode: one of `MODES`; "auto" asks the metric of that name.

    Raises:
        ValueError: "auto" cannot know.
    """
    if mode != "auto":
        return mode == "max"
    asked = keras.callbacks.EarlyStopping(monitor=monitor)
    asked.set_model(model)
    try:
        asked._set_monitor_op()
    except ValueError:
        raise ValueError(
            f"Whether a higher {monitor!r} is better cannot be known: the compiled model has no metric of that name "
            "that says so. Pass mode='min' or mode='max'."
        ) from None
    return bool(asked.monitor_op(2.0, 1.0))
