"""The probabilistic line search as an optimizer: one evaluation a training step, noise measured inside the step.

The weights stand at a trial point. Loss and slope of the next batch there are added to a Gaussian process of the
line; the trial is accepted where the Wolfe conditions hold with enough probability, else the most promising candidate
is tried. Only the newest trial can be accepted, so one gradient is all that is kept.

Reference:
    Mahsereci and Hennig, "Probabilistic Line Searches for Stochastic Optimization", arXiv:1703.10034.
"""

import enum
from typing import Any

import keras
from keras import ops

from keras_lr._arguments import Argument, check_kind, member
from keras_lr._backends.search_scalars import unpack
from keras_lr.line_search import Limits, Wolfe
from keras_lr.line_search._dynamic import Decision, SearchState, Seen, judge
from keras_lr.line_search._noisy_line import (
    NO_LINE,
    Notes,
    at_origin,
    follow_misfits,
    mean_step,
    next_first_step,
    observe,
    propose,
    set_out_line,
)
from keras_lr.line_search._scalars import where
from keras_lr.optimizers._across_batches import AcrossBatches
from keras_lr.optimizers._batch import batch_at_hand
from keras_lr.optimizers._directions import Direction, SteepestDescent
from keras_lr.optimizers._global import State, Tensors


class Noise(enum.StrEnum):
    """Where the variances of loss and slope come from.

    Example:
        >>> from keras_lr.optimizers import Noise, ProbabilisticLineSearch
        >>> ProbabilisticLineSearch(noise=Noise.BETWEEN_BATCHES).noise
        <Noise.BETWEEN_BATCHES: 'between batches'>
    """

    PER_SAMPLE = "per sample"
    BETWEEN_BATCHES = "between batches"


@keras.saving.register_keras_serializable(package="keras_lr")
class ProbabilisticLineSearch(AcrossBatches):
    """Find the step size from noisy losses and slopes, weighing them by their noise; no learning rate is given.

    Needs the loss of the batch, and for its noise the losses of the samples: call `keras_lr.attach(model)` after
    `compile`.

    Args:
        conditions: The Wolfe conditions and the constants of the search. None is `Wolfe()`, the paper's.
        direction: Along what to search. None is `SteepestDescent()`: the paper searches along the negative gradient.
        noise: `Noise.PER_SAMPLE` measures the variances within the batch that makes a direction, from the losses of
            its samples and their slopes along the direction, by one forward derivative. `Noise.BETWEEN_BATCHES` is
            the fallback where a backend has no forward derivative of the model (TensorFlow with recurrent layers): a
            running mean of the squared misfit between the batches at both ends of a first trial. It costs nothing
            and overstates the noise of the slope, as it cannot tell it from curvature.
        max_update_ratio: The cap: the largest length of one update, as a fraction of the length of all weights, as in
            `GradientOnly`. The paper has none, and the default seldom binds.
        max_update_norm: The cap in the unit of the weights, in place of the ratio: a float or a schedule.
        decay_steps: The horizon. When given, the cap falls linearly to 0 over so many steps.
        initial_step: The very first trial, in units of the direction, as in `GradientOnly`.
        limits: The guards that hold for every search. None is `Limits()`.
        **kwargs: As for every Keras optimizer; clipping and accumulation are refused.

    Raises:
        ValueError: gradient clipping is asked for; an argument is out of range; or, at `build`, the model is not
            attached, or a weight has a constraint, which would move trial points off the line.

    Costs:
        One gradient a step; with `Noise.PER_SAMPLE` one forward derivative an accepted step. Memory: one copy of the
        weights. On PyTorch the process runs as small tensor operations, about two milliseconds a step.

    Reference:
        Mahsereci and Hennig, arXiv:1703.10034.

    Example:
        >>> import keras, keras_lr, numpy as np
        >>> layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
        >>> model = keras.Sequential([keras.Input((1,)), layer])
        >>> model.compile(keras_lr.optimizers.ProbabilisticLineSearch(decay_steps=100), loss="mse")
        >>> x = np.linspace(-1, 1, 1600)[:, None]
        >>> history = keras_lr.attach(model).fit(x, 3 * x, epochs=2, verbose=0)
        >>> round(float(model.get_weights()[0][0, 0]), 1)
        3.0
    """

    packs = False  # the noise along u is asked of the loss, variable by variable
    notes = ("observed", "process")

    def __init__(
        self,
        conditions: Wolfe | None = None,
        direction: Direction | None = None,
        *,
        noise: Noise = Noise.PER_SAMPLE,
        max_update_ratio: Any = None,
        max_update_norm: Any = None,
        decay_steps: float | None = None,
        initial_step: float = 1e-4,
        limits: Limits | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            SteepestDescent() if direction is None else direction,
            max_update_ratio,
            max_update_norm,
            decay_steps,
            initial_step,
            Limits() if limits is None else limits,
            **kwargs,
        )
        self.conditions = Wolfe() if conditions is None else conditions
        self.noise = member(Noise)(noise, Argument("ProbabilisticLineSearch", "noise"))
        check_kind(self, "conditions", Wolfe, "line_search.Wolfe(...)")
        self.needs_batch = True

    def build_state(self) -> None:
        super().build_state()
        self.add_scalar("observed", 0.0, (self.conditions.max_evaluations + 1, 3))
        self.add_scalar("process", list(NO_LINE), (len(NO_LINE),))

    def decide(self, search: SearchState, seen: Seen, state: State) -> Decision:
        before = state.observed, state.process

        def rule(search: SearchState, seen: Seen, smallest_step: float) -> Decision:
            accept, step_size, state.observed, state.process = self._look(search, seen, *before)
            return Decision(accept, search._replace(step_size=step_size))

        decision = judge(rule, self.limits, search, seen)
        lost = decision.search.non_finite > 0.0
        state.observed = where(lost, before[0], state.observed)
        state.process = where(lost, before[1], state.process)
        return decision

    def begin(self, fresh: SearchState, u: Tensors, state: State) -> list[Any]:
        """Return the notes of a new line: the observation at its origin, and the noise there."""
        old = Notes(*ops.unstack(state.process))
        fresh = _tensors(fresh, state.process)
        steepness = -fresh.start_slope
        mean = mean_step(self.conditions, old.mean_step, fresh.accepted_step_size)
        notes = set_out_line(old, fresh.step_size, steepness, self._variances(u, steepness, old), mean)
        return [at_origin(state.observed.shape[0], state.process.dtype), ops.stack(list(notes))]

    def _look(self, search: SearchState, seen: Seen, observed: Any, process: Any) -> tuple[Any, Any, Any, Any]:
        """Add what was seen to the process; return whether to accept, the next step, and the notes."""
        conditions, notes = self.conditions, Notes(*ops.unstack(process))
        search, seen = _tensors(search, process), _tensors(seen, process)
        step, rise = search.step_size, seen.value - search.start_value
        place = step / notes.first_step
        if self.noise is Noise.BETWEEN_BATCHES:
            notes = follow_misfits(conditions, notes, step, rise, seen.slope)
        observed = observe(observed, notes, place, rise, seen.slope)
        proposal = propose(conditions, observed, notes, place)

        following = proposal.place * notes.first_step
        spent = notes.used >= conditions.max_evaluations
        accept = proposal.accept | spent | ((step >= search.cap) & (following >= search.cap))
        trial = ops.maximum(ops.minimum(following, search.cap), self.limits.smallest_step)
        onwards = next_first_step(conditions, step, mean_step(conditions, notes.mean_step, step))
        notes = notes._replace(
            reach=ops.where(proposal.beyond, 2.0 * notes.reach, notes.reach),
            used=ops.where(proposal.last, 1.0 * conditions.max_evaluations, notes.used + 1.0),
        )
        answer = ops.stack([ops.cast(accept, process.dtype), ops.where(accept, onwards, trial)])
        accepted, step_size = unpack(answer)[0]
        return accepted > 0.5, step_size, observed, ops.stack(list(notes))

    def _variances(self, u: Tensors, steepness: Any, notes: Notes) -> tuple[Any, Any]:
        """Return the variances of the mean loss and of the mean slope of the batch at hand."""
        if self.noise is Noise.BETWEEN_BATCHES:
            return notes.value_misfit, notes.slope_misfit * steepness**2
        losses, slopes = batch_at_hand(self).losses_and_slopes(u)
        variances = _variance_of_mean(losses), _variance_of_mean(slopes)
        return ops.cast(variances[0], self.compute_dtype), ops.cast(variances[1], self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        conditions = keras.saving.serialize_keras_object(self.conditions)
        return {**super().get_config(), "conditions": conditions, "noise": str(self.noise)}


def _variance_of_mean(samples: Any) -> Any:
    count = ops.cast(ops.shape(samples)[0], samples.dtype)
    return ops.var(samples) / ops.maximum(count - 1.0, 1.0)


def _tensors(numbers: Any, like: Any) -> Any:
    """Return a named tuple of scalars with every field a tensor."""
    return type(numbers)(*(ops.convert_to_tensor(number, dtype=like.dtype) for number in numbers))
