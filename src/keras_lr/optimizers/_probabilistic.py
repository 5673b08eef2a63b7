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

from keras_lr._backends.search_scalars import unpack
from keras_lr.line_search._dynamic import Decision, Limits, Search, Seen, judge
from keras_lr.line_search._gaussian_process import posterior
from keras_lr.line_search._probabilistic import (
    Wolfe,
    expected_improvement,
    minima_between,
    probability_of_wolfe,
)
from keras_lr.line_search._scalars import where
from keras_lr.optimizers._across_batches import AcrossBatches
from keras_lr.optimizers._batch import batch_at_hand
from keras_lr.optimizers._directions import Direction, SteepestDescent
from keras_lr.optimizers._global import State, Tensors

_FAR = 1e6  # where rows of the notes stand that hold no observation
_TINY = 1e-18  # floor of steps and slopes, so that their product is not 0 in float32
_MOST_NOISE = 1e6  # scaled variances beyond this say no less than this


class Noise(enum.StrEnum):
    """Where the variances of loss and slope come from."""

    PER_SAMPLE = "per sample"
    BETWEEN_BATCHES = "between batches"


@keras.saving.register_keras_serializable(package="keras_lr")
class ProbabilisticLineSearch(AcrossBatches):
    """Find the step size from noisy losses and slopes, weighing them by their noise; no learning rate is given.

    Needs the loss of the batch, and for its noise the losses of the samples: call `keras_lr.attach(model)` after
    `compile`.

    Args:
        conditions: The Wolfe conditions and the constants of the search.
        direction: Along what to search. The paper searches along the negative gradient.
        noise: `Noise.PER_SAMPLE` measures the variances within the batch that makes a direction, from the losses of
            its samples and their slopes along the direction, by one forward derivative. `Noise.BETWEEN_BATCHES` is
            the fallback where a backend has no forward derivative of the model (TensorFlow with recurrent layers): a
            running mean of the squared misfit between the batches at both ends of a first trial. It costs nothing
            and overstates the noise of the slope, as it cannot tell it from curvature.
        max_update_norm: The cap, the largest length of one update, a float or a schedule. The paper has none; the
            default is wide.
        decay_steps: The horizon. When given, the cap falls linearly to 0 over so many steps.
        initial_step: The very first trial.
        limits: The guards that hold for every search.
        **kwargs: As for every Keras optimizer; clipping and accumulation are refused.

    Costs:
        One gradient a step; with `Noise.PER_SAMPLE` one forward derivative an accepted step. Memory: one copy of the
        weights. On PyTorch the process runs as small tensor operations, about two milliseconds a step.
    """

    notes = ("observed", "process")

    def __init__(
        self,
        conditions: Wolfe | None = None,
        direction: Direction | None = None,
        *,
        noise: Noise = Noise.PER_SAMPLE,
        max_update_norm: Any = 10.0,
        decay_steps: int | None = None,
        initial_step: float = 1e-4,
        limits: Limits | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            direction or SteepestDescent(), max_update_norm, decay_steps, initial_step, limits or Limits(), **kwargs
        )
        self.conditions = conditions or Wolfe()
        self.noise = Noise(noise)
        self.needs_batch = True

    def build_state(self) -> None:
        super().build_state()
        rows = self.conditions.max_evaluations + 1
        self.add_scalar("observed", 0.0, (rows, 3))  # place t, value, slope; scaled
        # first trial, variances of value and slope (scaled), mean step, reach, rows used, misfits of value and slope
        self.add_scalar("process", 0.0, (8,))

    def decide(self, search: Search, seen: Seen, state: State) -> Decision:
        def rule(search: Search, seen: Seen, smallest_step: float) -> Decision:
            accept, step_size, state.observed, state.process = self._look(search, seen, state)
            return Decision(accept, search._replace(step_size=step_size))

        before = state.observed, state.process
        decision = judge(rule, self.limits, search, seen)  # type: ignore[arg-type]  # a function is a rule as well
        lost = decision.search.non_finite > 0.0
        state.observed = where(lost, before[0], state.observed)
        state.process = where(lost, before[1], state.process)
        return decision

    def begin(self, fresh: Search, u: Tensors, state: State) -> list[Any]:
        """Return the notes of a new line: the observation at its origin, and the noise there."""
        process = state.process
        first_step = ops.maximum(_tensor(fresh.step_size, process), _TINY)
        steepness = ops.maximum(-_tensor(fresh.start_slope, process), _TINY)
        value_variance, slope_variance = self._variances(u, steepness, process)
        scale = first_step * steepness
        row = ops.cast(ops.arange(state.observed.shape[0]) > 0, process.dtype)
        observed = ops.stack([row * _FAR, 0.0 * row, row - 1.0], axis=1)
        old_mean = process[3]
        memory = ops.where(old_mean > 0.0, self.conditions.memory, 0.0)
        mean = memory * old_mean + (1.0 - memory) * _tensor(fresh.accepted_step_size, process)
        # Divided twice, as a square would underflow near a minimum.
        noises = (value_variance / scale / scale, slope_variance / steepness / steepness)
        fields = [first_step, *(ops.minimum(noise, _MOST_NOISE) for noise in noises), mean, 1.0, 1.0]
        return [observed, ops.stack([*(_tensor(f, process) for f in fields), process[6], process[7]])]

    def _look(self, search: Search, seen: Seen, state: State) -> tuple[Any, Any, Any, Any]:
        """Add what was seen to the process; return whether to accept, the next step, and the notes."""
        process, observed = state.process, state.observed
        step, start_slope, start_value, slope, value, mean_step = (
            _tensor(number, process)
            for number in (
                search.step_size, search.start_slope, search.start_value, seen.slope, seen.value, process[3],
            )
        )  # fmt: skip
        first_step = ops.where(process[0] > 0.0, process[0], 1.0)
        steepness = ops.where(start_slope < 0.0, ops.maximum(-start_slope, _TINY), 1.0)
        scale, t, used = first_step * steepness, step / first_step, process[5]
        new = ops.stack([t, (value - start_value) / scale, slope / steepness])
        index = ops.cast(ops.arange(observed.shape[0]), process.dtype)
        observed = ops.where((index == used)[:, None], new[None, :], observed)
        process = self._misfits(process, used, step, value - start_value, slope, start_slope)
        # A last trial is noted in the last row, with rows before it that hold nothing.
        seen_rows = ops.cast((index <= used) & (observed[:, 0] < _FAR), process.dtype)

        accept, following, far, last = _next_trial(self.conditions, observed, seen_rows, process, t)
        spent = used >= self.conditions.max_evaluations
        cap = _tensor(search.cap, process)
        stopped = (step >= cap) & (following * first_step >= cap)
        accept = accept | spent | stopped
        wanted = self.conditions.expansion * step
        mean_step = ops.where(
            mean_step > 0.0, self.conditions.memory * mean_step + (1 - self.conditions.memory) * step, step
        )
        off = (wanted > self.conditions.reset * mean_step) | (wanted < mean_step / self.conditions.reset)
        step_size = ops.where(accept, ops.where(off, mean_step, wanted), following * first_step)
        capped = ops.minimum(step_size, cap)
        step_size = ops.where(accept, step_size, ops.maximum(capped, self.limits.smallest_step))
        reach = ops.where(far, 2.0 * process[4], process[4])
        used = ops.where(last, 1.0 * self.conditions.max_evaluations, used + 1.0)
        process = ops.concatenate([process[:4], ops.stack([reach, used]), process[6:]])
        accepted, following = unpack(ops.stack([ops.cast(accept, process.dtype), step_size]))[0]
        return accepted > 0.5, following, observed, process

    def _misfits(self, process: Any, used: Any, step: Any, rise: Any, slope: Any, start_slope: Any) -> Any:
        """Follow the squared misfit between two batches at the first trial of a line: half of it is the variance."""
        if self.noise is Noise.PER_SAMPLE:
            return process
        of_value = 0.5 * (rise - 0.5 * step * (slope + start_slope)) ** 2
        of_slope = 0.5 * ((slope - start_slope) / start_slope) ** 2
        kept = ops.where(process[6:] > 0.0, self.conditions.memory, 0.0)
        followed = kept * process[6:] + (1.0 - kept) * ops.stack([of_value, of_slope])
        return ops.concatenate([process[:6], ops.where(used == 1.0, followed, process[6:])])

    def _variances(self, u: Tensors, steepness: Any, process: Any) -> tuple[Any, Any]:
        """Return the variances of the mean loss and of the mean slope of the batch at hand."""
        if self.noise is Noise.BETWEEN_BATCHES:
            return process[6], process[7] * steepness**2
        losses, slopes = batch_at_hand(self).losses_and_slopes_at(None, u)
        return _variance_of_mean(losses), _variance_of_mean(slopes)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        conditions = keras.saving.serialize_keras_object(self.conditions)
        return {**super().get_config(), "conditions": conditions, "noise": str(self.noise)}


def _next_trial(conditions: Wolfe, observed: Any, seen: Any, process: Any, t: Any) -> tuple[Any, Any, Any, Any]:
    """Return whether t is accepted, the best candidate, whether it extrapolates, and whether it is to be the last.

    All in units of the first trial. Candidates are the minima of the mean between neighbours and one place beyond
    the farthest trial; the best has the largest product of expected improvement and probability of Wolfe.
    """
    known = (observed[:, 0], observed[:, 1], observed[:, 2], seen, process[1], process[2])
    places = ops.sort(observed[:, 0])
    at_places = posterior(*known, ops.where(places < _FAR, places, 0.0))
    minima, exist = minima_between(places, ops.cast(places < _FAR, places.dtype), at_places)
    farthest = ops.max(ops.where(observed[:, 0] < _FAR, observed[:, 0], 0.0))
    beyond = farthest + process[4]
    asked = ops.concatenate([ops.stack([t, beyond]), ops.where(exist, minima, beyond)])
    found = posterior(*known, asked)
    wolfe = probability_of_wolfe(conditions, asked, found)
    lowest = ops.min(ops.where(places < _FAR, at_places.mean, float("inf")))
    utility = expected_improvement(lowest, found.mean, found.variance) * wolfe
    allowed = ops.concatenate([ops.ones_like(exist[:1]), exist])
    utility = ops.where(allowed, utility[1:], -1.0)
    best = ops.argmax(utility)
    candidate = ops.take(asked[1:], best)
    # The mean already ascends at the origin and has no minimum in the first cell: a small step, taken as it is.
    hopeless = (found.origin[0][1] > 0.0) & ops.logical_not(exist[0])
    candidate = ops.where(hopeless, 0.01 * places[1], candidate)
    return wolfe[0] > conditions.probability, candidate, (best == 0) & ops.logical_not(hopeless), hopeless


def _variance_of_mean(samples: Any) -> Any:
    count = ops.cast(ops.shape(samples)[0], samples.dtype)
    return ops.var(samples) / ops.maximum(count - 1.0, 1.0)


def _tensor(number: Any, like: Any) -> Any:
    return ops.convert_to_tensor(number, dtype=like.dtype)
