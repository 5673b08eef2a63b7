"""Validation and checkpoints inside `fit` at the last accepted point of a search, never at a trial point."""

from typing import Any

import keras

from keras_lr._backends.wrapped_optimizers import innermost


class WeightsAtRest(keras.callbacks.Callback):
    """Put the weights of a search on changing batches at rest whenever somebody looks at them.

    Between two steps of `GradientOnly` or `ProbabilisticLineSearch` the weights stand at a trial point. This callback
    moves them to the last accepted point before validation and at the end of every epoch, and back to the trial
    when training goes on; it also takes up a search that was interrupted (or saved at rest) where it was. The logs of
    an epoch get `step_size`, the step accepted last, `accepts`, the number of steps accepted so far, and
    `trials_per_accept`, the gradients that an accepted step took in this epoch.

    Put it in front of `ModelCheckpoint` and other callbacks that read weights at the end of an epoch. Without it only
    the end of `fit` is at rest, by itself.

    Raises:
        ValueError: at the beginning of `fit`, if the model's optimizer does not search across batches.

    Costs:
        Two passes over the weights an epoch. The weights are not copied.

    Example:
        >>> import keras
        >>> from keras_lr.callbacks import WeightsAtRest
        >>> callbacks = [WeightsAtRest(), keras.callbacks.ModelCheckpoint("best.keras")]
    """

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Find the search."""
        self._search = _search(self.model)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Go back to the trial point, and begin to count."""
        self._before = (0, 0)
        if self._search.built:
            self.model.optimizer  # noqa: B018  on JAX this brings the weights back from the compiled loop
            self._search.return_to_trial()
            self._before = (self._search.accepts, self._gradients())

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Leave the trial point before a validation; `evaluate` outside `fit` finds the weights at rest anyhow."""
        self._rest()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Leave the trial point before the callbacks that follow look at the weights, and report."""
        self._rest()
        accepts, gradients = self._search.accepts, self._gradients()
        before_accepts, before_gradients = self._before
        if logs is not None:
            logs["step_size"] = self._search.step_size
            logs["accepts"] = accepts
            logs["trials_per_accept"] = (gradients - before_gradients) / max(accepts - before_accepts, 1)

    def _rest(self) -> None:
        search = _search(self.model)
        if search.built:
            search.put_at_rest()

    def _gradients(self) -> int:
        return int(keras.ops.convert_to_numpy(self._search.iterations))


def _search(model: keras.Model) -> Any:
    optimizer = innermost(model.optimizer)
    if not hasattr(optimizer, "put_at_rest"):
        raise ValueError(
            "WeightsAtRest is for optimizers that search across batches (GradientOnly, ProbabilisticLineSearch); "
            f"the model was compiled with {type(optimizer).__name__}. Leave the callback out."
        )
    return optimizer
