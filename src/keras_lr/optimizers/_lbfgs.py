"""L-BFGS with strong Wolfe, for one and the same batch at every step.

Nocedal and Wright 2006, Numerical Optimization, algorithms 7.4 (two-loop recursion) and 7.5.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops, tree

from keras_lr._arguments import check, check_kind
from keras_lr._backends import lists
from keras_lr.line_search import Point, Status, StrongWolfe
from keras_lr.optimizers._batch import batch_at_hand, require_attached
from keras_lr.optimizers._failed_step import lost
from keras_lr.optimizers._refusals import refuse_constraints, refuse_what_moves

Tensor = Any
Tensors = list[Any]


class Curvature(NamedTuple):
    """The last pairs of steps and changes of the gradient, newest last; empty rows are zero."""

    steps: Tensor  # sᵢ = xᵢ₊₁ - xᵢ, shape (pairs, n)
    changes: Tensor  # yᵢ = gᵢ₊₁ - gᵢ, shape (pairs, n)


class Iterate(NamedTuple):
    """Where the minimisation is."""

    x: Tensor  # weights, shape (n,)
    loss: Tensor  # shape ()
    gradient: Tensor  # shape (n,)
    curvature: Curvature
    alpha: Tensor  # the last step, shape ()
    evaluations: Tensor  # evaluations of loss and gradient so far, shape (), int32
    status: Tensor  # Status of the last search, shape (), int32
    steps: Tensor  # iterations made, shape (), int32


@keras.saving.register_keras_serializable(package="keras_lr")
class LBFGS(keras.optimizers.Optimizer):
    """Minimise the loss of all data by L-BFGS: d = -H·g, with H from the last pairs of steps and gradients.

    For full batches: `model.fit(x, y, batch_size=len(x))`, one training step an epoch, which makes
    `iterations_per_step` iterations. Their gradients are computed once: the last of a search is the first of the next.
    The model has to be attached (`keras_lr.attach(model)`). Curvature that is measured across two batches is noise,
    so a batch other than the one before is refused: the weights stay, and `fit` ends with an error.

    Args:
        iterations_per_step: iterations in a training step. More of them save one gradient in so many, and the logs
            are coarser.
        pairs: memory of the method, in pairs of vectors of the size of the weights; 3 to 20 are usual.
        search: how far. None is `StrongWolfe()`, whose curvature of 0.9 takes the first trial, 1, nearly always.
        gradient_tolerance: iterations end when no entry of the gradient is larger; in units of the gradient.
        name: name of the optimizer.
        **kwargs: see `LineSearch`.

    Raises:
        ValueError: an argument is out of its range, or `LineSearch` refuses it too; `fit` with changing batches;
            `attach` to other weights.

    Costs:
        An evaluation of loss and gradient a trial, mostly one an iteration; memory for 2·pairs sets of weights. Layers
        that draw (dropout) make another function of every step: leave them out.

    Reference:
        Nocedal and Wright 2006, section 7.2. Bollapragada et al. 2018, arXiv:1802.05374, for what changing batches do.

    Example:
        >>> import keras, keras_lr, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(keras_lr.optimizers.LBFGS(), loss="mse")
        >>> x = np.array([[0.0], [1.0], [2.0]])
        >>> y = 2.0 * x + 1.0
        >>> history = keras_lr.attach(model).fit(x, y, batch_size=3, epochs=3, verbose=0)
        >>> [round(float(w.ravel()[0]), 3) for w in model.get_weights()]
        [2.0, 1.0]
    """

    needs_batch = True
    takes_learning_rate = False

    def __init__(
        self,
        iterations_per_step: int = 20,
        *,
        pairs: int = 10,
        search: StrongWolfe | None = None,
        gradient_tolerance: float = 1e-7,
        name: str = "lbfgs",
        **kwargs: Any,
    ) -> None:
        refuse_what_moves(type(self).__name__, kwargs)
        super().__init__(learning_rate=1.0, name=name, **kwargs)
        self.iterations_per_step, self.pairs, self.gradient_tolerance = iterations_per_step, pairs, gradient_tolerance
        self.search = StrongWolfe() if search is None else search
        check_kind(self, "search", StrongWolfe, "line_search.StrongWolfe(...)")
        check(self, "iterations_per_step", "pairs", least=1, whole=True)
        check(self, "gradient_tolerance", least=0.0)

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        require_attached(self)
        refuse_constraints(variables)
        super().build(variables)
        self.dtype = lists.precision(variables)
        size = sum(math.prod(v.shape) for v in variables)
        self._pairs = Curvature(*(self._new(name, (self.pairs, size)) for name in Curvature._fields))
        self._fingerprint = self._new("fingerprint", (FINGERPRINT,))
        kinds = {"alpha": self.dtype, "evaluations": "int32", "search_status": "int32"}
        self.logged_variables = {name: self._new(name, (), kind) for name, kind in kinds.items()}

    def refuse_other_weights(self, variables: list[keras.Variable]) -> None:
        """Refuse other weights than those that the curvature is of. `attach` calls it."""
        size, measured = sum(math.prod(v.shape) for v in variables), self._pairs.steps.shape[1]
        if size != measured:
            raise ValueError(
                f"LBFGS measured the curvature of {measured} weights, and now {size} train: a layer was frozen or let "
                "loose since, which makes another function of the loss. Compile with a new LBFGS()."
            )

    def after_step(self, logs: dict[str, Any]) -> None:
        """Refuse a batch that changed, outside of what is compiled. The attached step calls it."""
        if int(logs["search_status"]) == Status.BATCH_CHANGED:
            raise ValueError(
                "LBFGS received a batch other than the one before, and the curvature that it measures between them "
                "would be noise. The weights are those of the step before. Train on all data at once, "
                "`model.fit(x, y, batch_size=len(x))`, or use LineSearch, which looks at one batch at a time."
            )

    def finalize_variable_values(self, var_list: list[keras.Variable]) -> None:
        super().finalize_variable_values(var_list)
        if not lost(self):
            self.after_step({name: ops.convert_to_numpy(v) for name, v in self.logged_variables.items()})

    def get_config(self) -> dict[str, Any]:
        return {
            "iterations_per_step": self.iterations_per_step,
            "pairs": self.pairs,
            "search": keras.saving.serialize_keras_object(self.search),
            "gradient_tolerance": self.gradient_tolerance,
            "name": self.name,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "loss_scale_factor": self.loss_scale_factor,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "LBFGS":
        made = cls(**keras.saving.deserialize_keras_object(config, custom_objects=custom_objects))
        made.restored = True
        return made

    def _new(self, name: str, shape: tuple[int, ...], dtype: str | None = None) -> keras.Variable:
        return self.add_variable(shape=shape, dtype=dtype or self.dtype, initializer="zeros", name=name)

    def _backend_update_step(self, grads: Tensors, trainable_variables: list[Any], learning_rate: Any) -> None:
        batch = batch_at_hand(self)
        values = [ops.convert_to_tensor(v) for v in trainable_variables]

        def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
            loss, gradient = batch.loss_and_gradient_at(unflattened(x, values))
            return ops.cast(loss, self.dtype), flattened(gradient, self.dtype)

        fingerprint = ops.cast(fingerprint_of(batch.data), self.dtype)
        before = ops.convert_to_tensor(self._fingerprint)
        rough = ops.abs(fingerprint - before) > 1e-5 * (1.0 + ops.abs(before))
        changed = ops.logical_and(ops.any(before != 0.0), ops.any(rough))
        loss, gradient = ops.cast(batch.loss, self.dtype), flattened(grads, self.dtype)
        finite = ops.logical_and(ops.isfinite(loss), ops.all(ops.isfinite(gradient)))
        status = ops.where(finite, int(Status.ACCEPTED), int(Status.NOT_FINITE))
        start = Iterate(
            flattened(values, self.dtype),
            loss,
            gradient,
            Curvature(*(ops.convert_to_tensor(v) for v in self._pairs)),
            ops.zeros((), self.dtype),
            ops.ones((), "int32"),
            ops.cast(ops.where(changed, int(Status.BATCH_CHANGED), status), "int32"),
            ops.zeros((), "int32"),
        )
        end = minimize(evaluate, start, self.iterations_per_step, self.search, self.gradient_tolerance)
        after = [*unflattened(end.x, values), *end.curvature, end.alpha, end.evaluations, end.status]
        variables = [*trainable_variables, *self._pairs, *self.logged_variables.values()]
        for variable, value in zip(variables, after, strict=True):
            variable.assign(value)
        self._fingerprint.assign(ops.where(changed, before, fingerprint))


def minimize(
    evaluate: Callable[[Tensor], tuple[Tensor, Tensor]],
    start: Iterate,
    iterations: int,
    search: StrongWolfe,
    gradient_tolerance: float,
) -> Iterate:
    """Make iterations of L-BFGS until `iterations` are made, the gradient is small, or a search fails.

    Args:
        evaluate: a function of the weights, shape (n,), that returns loss and gradient.
        start: where to start; with a status other than ACCEPTED nothing is done.
        iterations: at most so many iterations.
        search: finds the step.
        gradient_tolerance: the largest entry of a gradient that counts as zero.
    """

    def go_on(*parts: Any) -> Tensor:
        at = Iterate(*parts)
        steep = ops.max(ops.abs(at.gradient)) > gradient_tolerance
        good = ops.logical_and(at.status == int(Status.ACCEPTED), at.steps < iterations)
        return ops.logical_and(steep, good)

    def iterate(*parts: Any) -> tuple[Any, ...]:
        at = Iterate(*parts)
        direction, first = direction_from(at)
        slope = ops.sum(direction * at.gradient)

        def look_at(alpha: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            loss, gradient = evaluate(at.x + alpha * direction)
            return loss, ops.sum(gradient * direction), gradient

        found, gradient = search.carry(look_at, Point(ops.zeros_like(slope), at.loss, slope), first, at.gradient)
        step = found.alpha * direction
        # After DECREASE_ONLY the gradient is that of another point: the next training step computes it anew.
        known = found.status == int(Status.ACCEPTED)
        kept = with_pair(at.curvature, step, gradient - at.gradient)
        curvature = Curvature(*(ops.where(known, new, old) for new, old in zip(kept, at.curvature, strict=True)))
        gradient = ops.where(known, gradient, at.gradient)
        evaluations = at.evaluations + found.evaluations
        return (at.x + step, found.value, gradient, curvature, found.alpha, evaluations, found.status, at.steps + 1)

    return Iterate(*ops.while_loop(go_on, iterate, tuple(start)))


def direction_from(at: Iterate) -> tuple[Tensor, Tensor]:
    """Return -H·g and the first trial along it; -g and min(1, 1/‖g‖₁) without curvature or without descent."""
    steps, changes = at.curvature
    products = ops.sum(steps * changes, axis=1)
    filled = products > 0.0
    inverse = ops.where(filled, 1.0 / ops.where(filled, products, ops.ones_like(products)), ops.zeros_like(products))
    pairs = steps.shape[0]
    q, weights = at.gradient, []
    for i in reversed(range(pairs)):
        weights.append(inverse[i] * ops.sum(steps[i] * q))
        q = q - weights[-1] * changes[i]
    size = ops.sum(changes[-1] * changes[-1])
    r = q * ops.where(filled[-1], products[-1] / ops.where(filled[-1], size, ops.ones_like(size)), ops.ones_like(size))
    for i in range(pairs):
        r = r + (weights[pairs - 1 - i] - inverse[i] * ops.sum(changes[i] * r)) * steps[i]
    slope = ops.sum(r * at.gradient)
    newton = ops.logical_and(filled[-1], ops.logical_and(slope > 0.0, ops.isfinite(slope)))
    norm = ops.sum(ops.abs(at.gradient))
    cautious = ops.where(norm > 1.0, 1.0 / norm, ops.ones_like(norm))
    return ops.where(newton, -r, -at.gradient), ops.where(newton, ops.ones_like(norm), cautious)


def with_pair(curvature: Curvature, step: Tensor, change: Tensor) -> Curvature:
    """Append a pair and drop the oldest; a pair without positive curvature (to rounding) is left out."""
    product = ops.sum(step * change)
    good = product > 1e-10 * ops.sum(change * change)
    rows = (
        ops.concatenate([old[1:], ops.expand_dims(new, 0)]) for old, new in zip(curvature, (step, change), strict=True)
    )
    return Curvature(*(ops.where(good, new, old) for new, old in zip(rows, curvature, strict=True)))


def flattened(values: Tensors, dtype: str) -> Tensor:
    """Return all values in one vector."""
    return ops.concatenate([ops.reshape(ops.cast(ops.convert_to_tensor(v), dtype), (-1,)) for v in values])


def unflattened(x: Tensor, like: Tensors) -> Tensors:
    """Cut a vector into tensors of the shapes and dtypes of `like`."""
    parts, begin = [], 0
    for value in like:
        size = math.prod(value.shape)
        parts.append(ops.cast(ops.reshape(x[begin : begin + size], value.shape), value.dtype))
        begin += size
    return parts


FINGERPRINT = 4


def fingerprint_of(data: Any) -> Tensor:
    """Return a few means over a batch that do not depend on the order of its samples."""
    leaves = [ops.cast(leaf, "float32") for leaf in tree.flatten(data) if leaf is not None]
    means = [
        sum(ops.mean(f(leaf)) * (1.0 + 0.1 * i) for i, leaf in enumerate(leaves))
        for f in (lambda v: v, ops.square, lambda v: ops.cos(3.0 * v))
    ]
    samples = ops.cast(ops.shape(leaves[0])[0], "float32")
    return ops.stack([*means, samples])
