"""`LineSearch`: how far by a search, which way by the gradient or by any Keras optimizer."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_lr._backends import lists
from keras_lr._backends.memory import overwrite
from keras_lr._backends.search_scalars import at_once, inner, pack, unpack
from keras_lr._backends.walks import leap, steer
from keras_lr.line_search import Accepted, Backtracking, EachStep, Line, Point, Rule, Status
from keras_lr.line_search._conditions import descends
from keras_lr.line_search._scalars import alike, at_most, is_finite, like, sqrt, where
from keras_lr.optimizers._batch import Batch, Tensor, batch_at_hand, require_attached
from keras_lr.optimizers._lending import LendingOptimizer
from keras_lr.optimizers._proposals import checked_direction
from keras_lr.optimizers._refusals import checked_rate, checked_search, refuse_constraints, refuse_what_moves
from keras_lr.optimizers._way_back import farthest

Tensors = list[Any]

STEEPEST_COSINE = -1e-3  # a direction that makes a wider angle with the negative gradient hardly descends


def _not_asked(alpha: Any) -> Any:
    raise AssertionError("a rule that says it evaluates nothing has asked for the loss along the line")


_NO_LINE = Line(_not_asked, _not_asked)


class Own(NamedTuple):
    """The numbers that the optimizer keeps before those of the rule; the logs show the first three."""

    alpha: Any = 0.0  # the step that was taken last: what was found times the learning rate
    evaluations: Any = 0.0  # what it took
    search_status: Any = 0.0  # a `Status`
    replaced: Any = 0.0  # directions that were replaced so far
    stride: Any = 0.0  # alpha times the factor on the direction: how far the weights went along it


REPORTED = Own._fields[:3]


class Plan(NamedTuple):
    """What a step knows before the loss is asked for anywhere else; every field a scalar or made of scalars."""

    start: Point
    scale: Any  # factor on the direction
    first: Any  # the step to try first
    go: Any  # whether there is anything to gain
    astray: Any  # whether a proposed direction does not descend; () where none is proposed
    instead: Any  # factor on the gradient, which then replaces it; () likewise
    memory: Any  # what the rule remembers
    outcome: Any  # of a rule that evaluates nothing: `Accepted`, and what to remember; () for other rules


@keras.saving.register_keras_serializable(package="keras_lr")
class LineSearch(LendingOptimizer):
    """Train with a step that a search finds on the batch at hand: x ← x + α·d.

    The model has to be attached: `model.compile(optimizer=LineSearch(...), ...)`, `keras_lr.attach(model)`,
    `model.fit(...)`. The logs of `fit` (History, CSV, TensorBoard) get `alpha`, `evaluations` and `search_status` of
    the last step, `keras_lr.line_search.Status(code).sentence` says what a status means.

    Args:
        search: how far: a rule (`PAL()`, `SLS()`, `PoNoS()`, `SaLSA()`, `Polyak()`, `GeN()`, ...), or a search
            (`Backtracking()`, `StrongWolfe()`, ...), which becomes `EachStep(search)`. None is `Backtracking()`, which
            needs no gradient at its trials. No first trial moves weights in float32 by more than 8,000 (root mean
            square): they come back by subtraction, and would have lost too many digits.
        direction: which way: None for the negative gradient, or a Keras optimizer, whose update at its own learning
            rate is the direction, so that α multiplies that rate. A direction within 0.06 degrees of a right angle
            to the gradient, or beyond, is replaced by the negative gradient at the same length (`replaced` counts
            how often).
        learning_rate: a multiplier of the step that is found, a float or a schedule. No search shortens its steps
            towards the end of a run; `WSD(1.0, steps)`, or `keras_lr.fit`, does. The search remembers what it found,
            and its condition holds for that.
        name: name of the optimizer.
        **kwargs: `use_ema`, `ema_momentum` and `loss_scale_factor` of `keras.optimizers.Optimizer`.

    Raises:
        ValueError: an argument that would move the weights behind the search's back, or bend the gradient that it
            takes slopes with: `weight_decay`, `clipnorm`, `global_clipnorm`, `clipvalue` (give them to `direction`),
            `gradient_accumulation_steps`, `ema_overwrite_frequency`; a model with constraints on its weights; a
            `direction` with `use_ema` or `loss_scale_factor`, which would have no effect or a wrong one.
        TypeError: `direction` finds its own steps, as the optimizers of this package do, or scales the loss.

    Costs:
        A norm of the gradient, what the search evaluates, and on a CPU with JAX, from a million weights on, memory
        for one more set of weights, in which the gradient is stored (it needs no other then).

    Example:
        >>> import keras, keras_lr, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        >>> optimizer = keras_lr.optimizers.LineSearch(keras_lr.line_search.PAL(), keras.optimizers.SGD(1.0))
        >>> model.compile(optimizer, loss="mse")
        >>> history = keras_lr.attach(model).fit(np.ones((1, 1)), np.full((1, 1), 3.0), epochs=2, verbose=0)
        >>> round(float(model.get_weights()[0][0, 0]), 3)
        3.0
    """

    needs_batch = tuning_free = True

    def __init__(
        self,
        search: Any = None,
        direction: Any = None,
        *,
        learning_rate: Any = 1.0,
        name: str = "line_search",
        **kwargs: Any,
    ) -> None:
        refuse_what_moves(type(self).__name__, kwargs)
        learning_rate = checked_rate("LineSearch", learning_rate)
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        search = Backtracking() if search is None else search
        self.search = checked_search(search)
        self.rule: Rule = search if isinstance(search, Rule) else EachStep(search)
        self.direction = checked_direction(direction)

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        require_attached(self)
        refuse_constraints(variables)
        super().build(variables)
        self.compute_dtype = lists.precision(variables)
        self._farthest = farthest(variables)
        # Scalars travel in one variable: each variable costs a compiled step several microseconds.
        self._remembered = self.rule.memory()
        initial = np.asarray([*Own(), *self._remembered])
        fill = keras.initializers.Constant(initial)
        self._numbers = self.add_variable(initial.shape, fill, self.compute_dtype, name="numbers")
        self.logged_variables = {name: (self._numbers, i) for i, name in enumerate(REPORTED)}

        def heading(i: int) -> Any:
            return self.add_variable_from_reference(variables[i], name="heading")

        back = self.rule.looks_back
        self._heading = [heading(i) for i in range(len(variables))] if back else []
        self._lent = {} if back else self.lend([v.shape for v in variables], heading)
        if self.direction is not None:
            self.direction.build(variables)

    @property
    def variables(self) -> list[keras.Variable]:
        return self._variables + ([] if self.direction is None else self.direction.variables)

    @property
    def replaced(self) -> int:
        """How many directions did not descend and were replaced by the negative gradient."""
        return int(ops.convert_to_numpy(self._numbers)[Own._fields.index("replaced")])

    @property
    def learning_rate(self) -> Any:
        """The step that was taken last; a number that is assigned is one too, for callbacks that read and write."""
        return self.effective_rate(self._learning_rate)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if self.built and not callable(value):
            alpha, multiplier = float(self.learning_rate), float(self._multiplier())
            # A callback that scales the rate reads 0 before the first step, and after one that failed, and writes 0.
            value = value * multiplier / alpha if alpha > 0.0 else value or multiplier
        keras.optimizers.Optimizer.learning_rate.fset(self, value)

    def effective_rate(self, multiplier: Any) -> Any:
        """Return the step that was taken last, which the multiplier is part of."""
        return self._numbers.value[0] if self.built else multiplier

    def _multiplier(self) -> Any:
        return ops.cast(self._get_current_learning_rate(), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        direction = None if self.direction is None else keras.saving.serialize_keras_object(self.direction)
        return {
            "search": keras.saving.serialize_keras_object(self.search),
            "direction": direction,
            "learning_rate": super().get_config()["learning_rate"],
            "name": self.name,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "loss_scale_factor": self.loss_scale_factor,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "LineSearch":
        made = cls(**keras.saving.deserialize_keras_object(config, custom_objects=custom_objects))
        made.restored = True
        return made

    def _backend_update_step(self, grads: Tensors, trainable_variables: list[Any], learning_rate: Any) -> None:
        batch = batch_at_hand(self)
        gradient = lists.to_dtype(grads, self.compute_dtype)
        proposed = None if self.direction is None else self._propose(self.direction, gradient, trainable_variables)
        towards = [] if proposed is None else [inner(gradient, proposed), inner(proposed, proposed)]
        products = [inner(gradient, gradient), *towards]
        kept = ops.convert_to_tensor(self._numbers)
        loss = ops.cast(batch.loss, self.compute_dtype)
        (loss,), numbers, (multiplier,), *products = unpack(loss, kept, self._multiplier(), *products)
        before, remembered = Own(*numbers[: len(Own._fields)]), numbers[len(Own._fields) :]
        plan = at_once(self._plan, loss, remembered, *(product for (product,) in products))
        direction = gradient if proposed is None else steer(proposed, gradient, plan.instead, plan.astray)
        accepted, memory = plan.outcome or self._search(batch, trainable_variables, direction, plan, before, multiplier)
        alpha = accepted.alpha * multiplier
        if plan.outcome:
            leap(trainable_variables, direction, plan.scale * alpha, plan.go)
        replaced = where(plan.astray, before.replaced + 1.0, before.replaced) if proposed else before.replaced
        own = Own(alpha, accepted.evaluations, accepted.status, replaced, alpha * plan.scale)
        lists.write([self._numbers], [pack([*own, *memory], kept)])
        if self._heading:
            lists.write([self._heading[self._get_variable_index(v)] for v in trainable_variables], direction)
        overwrite(list(self._lent.values()), [direction[i] for i in self._lent])

    def _propose(self, optimizer: keras.optimizers.Optimizer, gradient: Tensors, variables: list[Any]) -> Tensors:
        """Return the update that an optimizer would make, with its state moved on and the weights left alone."""
        before = lists.copy(lists.read(variables, self.compute_dtype))
        optimizer.apply(gradient, variables)
        proposed = lists.add_(lists.copy(lists.read(variables, self.compute_dtype)), before, -1.0)
        lists.write(variables, before)
        return proposed

    def _plan(self, loss: Any, remembered: list[Any], square: Any, slope: Any = None, length: Any = None) -> Plan:
        """Return what is known before the loss is asked for anywhere else.

        Args:
            loss: φ(0).
            remembered: what the rule remembers from the step before.
            square: ‖g‖².
            slope: g·d for the update d of an optimizer; None to go along -g.
            length: ‖d‖².
        """
        rule = self.rule
        astray: Any = ()
        instead: Any = ()
        norm = sqrt(square)
        if slope is None:
            scale, slope, length = (-_reciprocal(norm) if rule.lengths else -1.0), square, norm
        else:
            length = sqrt(length)
            astray, instead = slope > STEEPEST_COSINE * length * norm, -length * _reciprocal(norm)
            scale = _reciprocal(length) if rule.lengths else 1.0
            slope = where(astray, instead * square, slope)
        start, _ = alike(Point(0.0, loss, scale * slope), 1.0)
        memory, go = type(self._remembered)(*remembered), descends(start)
        if rule.looks_back:
            return Plan(start, scale, like(0.0, start.value), go, astray, instead, memory, ())
        way_back = self._farthest if rule.lengths else self._farthest * _reciprocal(length)
        first = at_most(like(rule.first_trial(start, memory), start.value), way_back)
        go = go & _good(first)
        outcome: Any = ()
        if not rule.evaluates:
            accepted, after = rule.step(_NO_LINE, start, first, memory)
            outcome = (_unless(go, accepted), after)
        return Plan(start, scale, first, go, astray, instead, memory, outcome)

    def _search(
        self, batch: Batch, variables: list[Any], direction: Tensors, plan: Plan, before: Own, multiplier: Any
    ) -> tuple[Accepted, Any]:
        """Move the weights by what the rule finds; return the outcome and what the rule remembers."""
        if self.rule.looks_back:
            line = self._line_back(batch, variables, before.stride)
            accepted, memory = self.rule.step(line, plan.start, before.alpha, plan.memory)
            step = accepted.alpha * multiplier
            leap(variables, direction, plan.scale * step, plan.go & _good(step))
            return _unless(plan.go, accepted), memory
        walk = batch.walk(variables, direction, plan.scale, plan.first, plan.go)
        accepted, memory = self.rule.step(walk.line, plan.start, plan.first, plan.memory)
        accepted, memory = at_once(lambda go, *found: (_unless(go, found[0]), found[1]), plan.go, accepted, memory)
        walk.settle(accepted.alpha * multiplier)
        return accepted, memory

    def _line_back(self, batch: Batch, variables: list[Any], stride: Any) -> Line:
        """The line through the step made before: -1 is where it came from."""
        here = lists.read(variables, self.compute_dtype)
        step = lists.read([self._heading[self._get_variable_index(v)] for v in variables], self.compute_dtype)

        def phi(alpha: Tensor) -> Tensor:
            loss = batch.loss_at([x + (alpha * stride) * d for x, d in zip(here, step, strict=True)])
            return ops.cast(loss, self.compute_dtype)

        return Line(phi, lambda alpha: (phi(alpha), stride))


def _reciprocal(x: Any) -> Any:
    return where(x > 0.0, 1.0 / where(x > 0.0, x, 1.0), 0.0)


def _good(alpha: Any) -> Any:
    return is_finite(alpha) & (alpha > 0.0)


def _unless(go: Any, accepted: Accepted) -> Accepted:
    """Return the outcome, with a step of 0 and a reason where nobody went."""
    status = int(accepted.status) if isinstance(accepted.status, Status) else accepted.status
    why = go | (status >= int(Status.BUDGET_SPENT))
    return accepted._replace(alpha=where(go, accepted.alpha, 0.0), status=where(why, status, int(Status.NOT_A_DESCENT)))
