"""The compiled training step on JAX: a pure function of a state that Keras carries from step to step."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import jax.numpy as jnp
import keras
import numpy as np
from jax import tree_util
from keras.src.backend.jax.trainer import JAXEpochIterator

from keras_lr._backends.learning_rate_variable import learning_rate_variable
from keras_lr._backends.steps_interface import Parts, Steered, distance_and_length, loss_of, unsteered
from keras_lr._backends.wrapped_optimizers import innermost, skips_overflows


class TrainingSteps:
    """See `steps_interface.TrainingSteps`."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._state: Any = None
        self.takes_one_batch = model.steps_per_execution == 1
        self.kept_batch, self._keeps_next = None, False
        model.make_train_function()
        self._train_function = unsteered(model.train_function)
        rate, count = learning_rate_variable(model.optimizer), innermost(model.optimizer)._iterations
        self._rate_index = next(i for i, v in enumerate(model.optimizer.variables) if v is rate)
        self._count_index = next(i for i, v in enumerate(model.optimizer.variables) if v is count)
        self.skips_overflows = skips_overflows(model.optimizer)
        self._metrics_at_reset = _values_at_reset(model)

    def batches(self, iterator_arguments: dict[str, Any], count: int) -> Sequence[Any]:
        epoch = JAXEpochIterator(**iterator_arguments)
        return list(islice(iter(epoch._get_iterator()), count))

    def start(self) -> None:
        self._state = (*_copied(self._model_state()[:3]), self._fresh_metrics())

    def finish(self) -> None:
        if self._state is None:
            return
        for variables, values in zip(self._variables(), self._state[:3], strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        self._state = None

    def copy(self) -> Any:
        return _copied((self._model_state() if self._state is None else self._state)[:3])

    def put(self, values: Any) -> None:
        if self._state is not None:
            self._state = (*_copied(values), self._state[3])
            return
        for variables, copies in zip(self._variables(), values, strict=True):
            for variable, value in zip(variables, copies, strict=True):
                variable.assign(jnp.copy(value))

    @contextmanager
    def aside(self) -> Iterator[None]:
        values, (metrics,) = self.copy(), _copied(self._state[3:])
        try:
            yield
        finally:
            self._state = (*values, metrics)

    def parts(self, values: Any) -> Parts:
        return Parts(values[0], values[1])

    def zero(self, variables: Sequence[keras.Variable]) -> None:
        wanted = {id(variable) for variable in variables}
        for index, variable in enumerate(self._model.optimizer.variables):
            if id(variable) in wanted and self._state is not None:
                self._state[2][index] = jnp.zeros_like(self._state[2][index])
            elif id(variable) in wanted:
                variable.assign(jnp.zeros_like(variable.value))

    def whole(self) -> bool:
        values = [v._value for variables in self._variables() for v in variables]
        return all(value is not None and not value.is_deleted() for value in values)

    def finite(self) -> bool:
        weights = [v.value for v in self._model.trainable_variables] if self._state is None else self._state[0]
        return bool(jnp.all(jnp.stack([jnp.all(jnp.isfinite(w)) for w in weights])))

    def weights(self) -> list[np.ndarray]:
        return [np.asarray(v) for v in self._state[0]]

    def moved(self, values: Any) -> tuple[float, float]:
        return distance_and_length(self.weights(), [np.asarray(v) for v in values[0]])

    def counted(self) -> int:
        return int(self._state[2][self._count_index])

    def reset_metrics(self) -> None:
        if self._state is None:
            self._model.reset_metrics()
        else:
            self._state = (*self._state[:3], self._fresh_metrics())

    def means(self) -> list[float]:
        values = {id(v): value for v, value in zip(self._model.metrics_variables, self._state[3], strict=True)}
        means = [metric for metric in self._model.metrics if isinstance(metric, keras.metrics.Mean)]
        return [float(metric.stateless_result([values[id(v)] for v in metric.variables])) for metric in means]

    def set_learning_rate(self, learning_rate: float) -> None:
        if self._state is None:
            learning_rate_variable(self._model.optimizer).assign(np.float32(learning_rate))
        else:
            self._state[2][self._rate_index] = np.float32(learning_rate)

    def step(self, batch: Any, learning_rate: float) -> Any:
        self.set_learning_rate(learning_rate)
        # Fresh metrics at every step make the reported mean loss the loss of this batch.
        self.reset_metrics()
        logs, self._state = self._train_function(self._state, iter((batch,)))
        return loss_of(logs)

    def steer(self, before: Callable[[], None], after: Callable[[dict[str, Any]], None]) -> None:
        def steered(state: Any, iterator: Iterator[Any]) -> tuple[dict[str, Any], Any]:
            # The lists must stay lists: another container would be another program.
            self._state = tuple(list(values) for values in state)
            try:
                before()
                if self._keeps_next:
                    self.kept_batch, self._keeps_next = next(iterator), False
                    iterator = iter((self.kept_batch,))
                logs, self._state = self._train_function(self._state, iterator)
                after(logs)
                return logs, self._state
            finally:
                self._state = None  # also where the data have ended, or cannot be read

        self._model.train_function = Steered(self._train_function, steered)

    def keep_batch(self) -> None:
        self._keeps_next = True

    def release(self) -> None:
        if isinstance(self._model.train_function, Steered):  # and not, by a callback, compiled anew
            self._model.train_function = self._train_function
        self._state = None

    def _variables(self) -> tuple[list[keras.Variable], ...]:
        model = self._model
        return model.trainable_variables, model.non_trainable_variables, model.optimizer.variables

    def _model_state(self) -> Any:
        return tuple([v.value for v in variables] for variables in self._variables())

    def _fresh_metrics(self) -> list[Any]:
        # Inside `fit` the variables hold no values, so what a fresh metric holds is read beforehand.
        return [value.copy() for value in self._metrics_at_reset]


def _values_at_reset(model: keras.Model) -> list[np.ndarray]:
    kept = [v.value for v in model.metrics_variables]
    model.reset_metrics()
    values = [np.asarray(v.value) for v in model.metrics_variables]
    for variable, value in zip(model.metrics_variables, kept, strict=True):
        variable.assign(value)
    return values


def _copied(state: Any) -> Any:
    # A copy, because the compiled step takes over the memory of the state it is given.
    return tuple(list(values) for values in tree_util.tree_map(jnp.copy, state))
