"""A line search in which every trial is a training step of its own: an ordinary optimizer, one gradient a step.

The weights in the model stand at a trial point x₀ - α u. The gradient of the next batch, measured there, has a slope
along the line; a search accepts the trial, and the same gradient makes the next direction, or it moves the weights
along the line. This is the part that all such optimizers share; how they decide is `GradientOnly`'s and
`ProbabilisticLineSearch`'s own.
"""

import math
from typing import Any, Self

import keras
from keras import ops

from keras_lr._arguments import Argument, check_kind
from keras_lr._backends import lists
from keras_lr._backends.moves import MOVES_VARIABLES, move_
from keras_lr._backends.products import products
from keras_lr._backends.search_scalars import at_once, either, inner, pack, seldom, unpack
from keras_lr.line_search import Limits
from keras_lr.line_search._dynamic import Decision, SearchState, Seen, at_rest, set_out
from keras_lr.line_search._scalars import at_least, choose, like, maximum, sqrt, where
from keras_lr.optimizers._batch import batch_at_hand, require_attached
from keras_lr.optimizers._directions import Direction
from keras_lr.optimizers._failed_step import lost
from keras_lr.optimizers._falling_cap import STEPS_AT_THE_START, default_ratio, schedule_over_run
from keras_lr.optimizers._global import GlobalOptimizer, State, Tensors
from keras_lr.optimizers._refusals import check_cap_and_first_trial, refuse, refuse_clipping, refuse_constraints

ACCEPTS_BETWEEN_NORMS = 16.0
"""So seldom is the length of the weights measured, as that reads them all."""

_POSITION = SearchState._fields.index("position")
_ACCEPTED = SearchState._fields.index("accepted_step_size")


class AcrossBatches(GlobalOptimizer):
    """Base of optimizers that search along a line with a new mini-batch at every trial.

    A subclass says how it decides (``decide``), and may keep notes of the line (``begin``).

    Args:
        direction: Along what to search, a value of `keras_lr.optimizers._directions`.
        max_update_ratio: The cap: the largest length of one update, as a fraction of the length of all weights. None
            (`default_ratio`), a float, which falls as 1/√(1 + t/10) where there is no horizon, or a schedule.
        max_update_norm: A cap in the unit of the weights in its place, a float or a schedule; None: the ratio holds.
        decay_steps: The horizon, over which the cap falls linearly to 0.
        initial_step: The very first trial, in units of the direction.
        limits: The guards that hold for every search.
        **kwargs: As for every Keras optimizer, without clipping.
    """

    packs = not MOVES_VARIABLES
    tuning_free = True
    schedule_over_run = schedule_over_run
    notes: tuple[str, ...] = ()  # the names of the numbers in which a subclass keeps what it knows of a line

    def __init__(
        self,
        direction: Direction,
        max_update_ratio: Any,
        max_update_norm: Any,
        decay_steps: float | None,
        initial_step: float,
        limits: Limits,
        **kwargs: Any,
    ) -> None:
        name, bounded = type(self).__name__, "Leave it out: max_update_ratio already bounds the length of every update."
        refuse(name, "learning_rate", kwargs.pop("learning_rate", None), "as its search finds how far to go", bounded)
        refuse_clipping(name, kwargs, bounded)
        super().__init__(1.0, **kwargs)
        self.direction = direction
        self.max_update_ratio = max_update_ratio
        self.max_update_norm = max_update_norm
        self.decay_steps = decay_steps
        self.initial_step = initial_step
        self.limits = limits
        self.needs_batch = False
        if isinstance(direction, type) or not hasattr(direction, "descend"):
            argument = Argument(name, "direction")
            raise ValueError(argument.refusal("a direction such as optimizers.AdamDirection()", direction))
        check_kind(self, "limits", Limits, "line_search.Limits(...)")
        check_cap_and_first_trial(self)

    # What a subclass writes.

    def decide(self, search: SearchState, seen: Seen, state: State) -> Decision:
        """Accept the trial or name the next one; scalars as `unpack` gives them."""
        raise NotImplementedError

    def begin(self, fresh: SearchState, u: Tensors, state: State) -> list[Any]:
        """Return the notes at the start of a search, tensors in the order of ``notes``."""
        return []

    # What a user sees.

    def assign_rate(self, value: Any) -> None:
        """Scale the cap as the step that was accepted last is scaled."""
        if self.built and not callable(value):
            accepted, factor = float(self.learning_rate), float(self._get_current_learning_rate())
            # A callback that scales the rate reads 0 before the first accept, and writes 0.
            value = value * factor if accepted > 0.0 else value or factor
        super().assign_rate(value)

    def effective_rate(self, multiplier: Any) -> Any:
        """Return the step that was accepted last; the multiplier is a factor on the cap, which has bounded it."""
        return ops.cast(self._numbers["scale"] if self.built else multiplier, "float32")

    # The shell.

    def build(self, variables: list[Any]) -> None:
        """Create the state for ``variables``."""
        if self.built:
            return
        if self.needs_batch:
            require_attached(self)
        refuse_constraints(variables)
        super().build(variables)

    def build_state(self) -> None:
        start = at_rest(self.initial_step)
        self.add_scalar("search", list(start), (len(start),))
        self.add_slot("descent")
        for name in self.direction.slots:
            self.add_slot(name)

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        (slope,), (square,), fields, (multiplier,), (count,), *losses = unpack(
            *products(g, state.descent), state.search, state.multiplier, self.count(), *self._losses()
        )
        search, seen = SearchState(*fields), Seen(-slope, sqrt(square), losses[0][0] if losses else like(0.0, slope))
        cap = self._cap(count) * multiplier
        if self.max_update_norm is None:
            search = self._measured(x, search)
            cap = cap * sqrt(search.initial_norm * search.longest_norm)
        accept, settled = self.decide(search, seen, state)

        # The weights go on along the new u whether that is another one or not, so nothing reads the old u after it.
        old, kept = state.descent, [getattr(state, name) for name in self.direction.slots]
        descend = self.direction.descend
        u, moments = either(accept, lambda: descend(g, kept, old, settled.accepts), lambda: (old, kept))

        steepness = either(accept, lambda: self._steepness(g, u, seen), lambda: (search.start_slope, search.length))
        moments = lists.once_known(steepness[1], *moments)
        now = at_once(self._go_on, accept, settled, *steepness, cap, seen.value)
        self._note(accept, now, u, state)  # before the weights move: it may look at the batch where they are
        taken = where(settled.accepts > search.accepts, search.step_size, 0.0)
        origin = where(accept, 0.0, search.position)
        state.search = pack(list(now), state.search)
        state.scale, state.descent = state.search[_ACCEPTED], u
        for name, moment in zip(self.direction.slots, moments, strict=True):
            setattr(state, name, moment)
        if self.weight_decay is None:
            return move_(state.variables, x, u, origin - now.position)
        return lists.add_(self.decay_(x, state, taken), u, origin - now.position)

    def _steepness(self, g: Tensors, u: Tensors, seen: Seen) -> tuple[Any, Any]:
        """Return the slope -gᵀu and ‖u‖."""
        if not self.direction.slots:
            return -seen.gradient_norm * seen.gradient_norm, seen.gradient_norm
        (product,), (square,) = unpack(*products(u, g))
        return -product, sqrt(square)

    def _go_on(self, accept: Any, settled: SearchState, slope: Any, length: Any, cap: Any, value: Any) -> SearchState:
        return either(accept, lambda: set_out(self.limits, settled, slope, length, cap, value), lambda: settled)

    def _note(self, accept: Any, now: SearchState, u: Tensors, state: State) -> None:
        if not self.notes:
            return
        kept = [getattr(state, name) for name in self.notes]
        notes = choose(accept, lambda: self.begin(now, u, state), lambda: kept)
        for name, value in zip(self.notes, notes, strict=True):
            setattr(state, name, value)

    def _losses(self) -> list[Any]:
        """Return the loss of the batch where a rule looks at it."""
        if not self.needs_batch:
            return []
        return [ops.cast(batch_at_hand(self).loss, self.compute_dtype)]  # a loss of Keras is single

    def _cap(self, count: Any) -> Any:
        """Return the longest update allowed after so many steps; ``learning_rate`` is a factor on it."""
        relative = self.max_update_norm is None
        cap = given = self.max_update_ratio if relative else self.max_update_norm
        if given is None:
            cap = default_ratio(self.decay_steps)
        elif callable(given):
            ((cap,),) = unpack(ops.cast(given(self.iterations), self.compute_dtype))
        if self.decay_steps is not None:
            return cap * at_least(1.0 - count / self.decay_steps, 0.0)
        return cap / sqrt(1.0 + count / STEPS_AT_THE_START) if relative and not callable(given) else cap

    def _measured(self, x: Tensors, search: SearchState) -> SearchState:
        """Return the search with the length of the weights, measured anew once in a while."""
        first = search.length == 0.0  # the weights have not moved yet
        due = first | ((search.trials == 0.0) & (search.accepts % ACCEPTS_BETWEEN_NORMS == 0.0))
        numbers = sum(math.prod(part.shape) for part in x)
        norm = seldom(due, numbers, lambda: sqrt(unpack(inner(x, x))[0][0]), lambda: search.longest_norm)
        initial = where(first, where(norm > 0.0, norm, 1.0), search.initial_norm)
        return search._replace(initial_norm=initial, longest_norm=maximum(norm, maximum(search.longest_norm, initial)))

    # Weights at rest.

    def put_at_rest(self) -> None:
        """Move the weights from the trial point back to the last accepted point. Not inside a compiled step."""
        self._stand_at(0.0)

    def return_to_trial(self) -> None:
        """Move weights at rest to the trial point again, so that the search goes on where it was."""
        search = SearchState(*ops.convert_to_numpy(self._numbers["search"]))
        if search.length > 0.0:  # else there is no line yet
            self._stand_at(float(search.step_size))

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Put the weights at rest; Keras calls this at the end of ``fit``."""
        if not lost(self):
            self.put_at_rest()
            super().finalize_variable_values(var_list)

    def _stand_at(self, position: float) -> None:
        search = ops.convert_to_numpy(self._numbers["search"]).copy()
        if search[_POSITION] == position:
            return
        back = float(search[_POSITION]) - position
        points = self._resting_points(back)
        for i in self.in_training():  # a frozen layer has no place on the line
            variable = self._trainable_variables[i]
            variable.assign(ops.cast(points[i], variable.dtype))
        search[_POSITION] = position
        self._numbers["search"].assign(search)

    @lists.without_gradients
    def _resting_points(self, step: Any) -> Tensors:
        """Return x + step · u."""
        packing = self._slots.packing
        x = packing.pack(lists.copy(lists.read(self._trainable_variables, self.compute_dtype)))
        return packing.unpack(lists.add_(x, lists.read(self._slots.variables["descent"], self.compute_dtype), step))

    def _update_model_variables_moving_average(self, trainable_variables: list[Any]) -> None:
        """Average accepted points; Keras would average the trial points at which the weights stand."""
        at_trial = self._resting_points(ops.convert_to_tensor(self._numbers["search"])[_POSITION])
        weight = ops.where(self.iterations == 0, 1.0, 1.0 - self.ema_momentum)
        for average, point in zip(self._model_variables_moving_average, at_trial, strict=True):
            if average is not None:
                average.assign(average + ops.cast(weight, average.dtype) * (ops.cast(point, average.dtype) - average))

    # What a user sees.

    @property
    def accepts(self) -> int:
        """How many steps were accepted so far."""
        return int(self._field("accepts"))

    @property
    def trials(self) -> int:
        """How many gradients the last accepted step took."""
        return int(self._field("accepted_trials"))

    @property
    def step_size(self) -> float:
        """The step size that was accepted last, in units of the direction; 0 before the first."""
        return self._field("accepted_step_size")

    def _field(self, name: str) -> float:
        return float(getattr(SearchState(*ops.convert_to_numpy(self._numbers["search"])), name))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "direction": serialize(self.direction),
            "max_update_ratio": serialize(self.max_update_ratio),
            "max_update_norm": serialize(self.max_update_norm),
            "decay_steps": self.decay_steps,
            "initial_step": self.initial_step,
            "limits": serialize(self.limits),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Return an optimizer from its configuration; it may be built before its model is attached."""
        parts = keras.saving.deserialize_keras_object(config, custom_objects=custom_objects)
        factor = parts.pop("learning_rate")
        made = cls(**parts)
        keras.optimizers.Optimizer.learning_rate.fset(made, factor)
        made.restored = True
        return made
