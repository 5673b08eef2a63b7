"""The inequalities that a step may have to satisfy. Each is False where a value is not finite."""

from typing import Any

from keras import ops

from keras_lr.line_search._line import Accepted, Point, Status, Tensor


def sufficient_decrease(start: Point, alpha: Tensor, value: Tensor, decrease: float) -> Tensor:
    """Armijo: φ(α) ≤ φ(0) + c·α·φ'(0), with c = `decrease`."""
    return ops.logical_and(value <= start.value + decrease * alpha * start.slope, ops.isfinite(value))


def not_too_short(start: Point, alpha: Tensor, value: Tensor, decrease: float) -> Tensor:
    """The second Goldstein condition: φ(α) ≥ φ(0) + (1 - c)·α·φ'(0)."""
    return ops.logical_and(value >= start.value + (1.0 - decrease) * alpha * start.slope, ops.isfinite(value))


def flat_enough(start: Point, slope: Tensor, curvature: float) -> Tensor:
    """Strong Wolfe: |φ'(α)| ≤ c₂·|φ'(0)|, with c₂ = `curvature`."""
    return ops.abs(slope) <= curvature * ops.abs(start.slope)


def not_steep(start: Point, slope: Tensor, curvature: float) -> Tensor:
    """Wolfe: φ'(α) ≥ c₂·φ'(0)."""
    return ops.logical_and(slope >= curvature * start.slope, ops.isfinite(slope))


def descends(start: Point) -> Tensor:
    """Whether the loss and its slope are finite and the line goes down."""
    finite = ops.logical_and(ops.isfinite(start.value), ops.isfinite(start.slope))
    return ops.logical_and(finite, start.slope < 0.0)


def outcome(start: Point, found: Tensor, alpha: Tensor, value: Tensor, evaluations: Tensor, status: Any) -> Accepted:
    """Return the outcome of a search: `alpha` with `status` where found, else 0 and the reason.

    Args:
        start: the start of the line.
        found: whether the condition holds at `alpha`.
        alpha: the step.
        value: the loss there.
        evaluations: how often the line was evaluated.
        status: the `Status` in the case that the step was found.
    """
    finite = ops.logical_and(ops.isfinite(start.value), ops.isfinite(start.slope))
    reason = ops.where(start.slope < 0.0, int(Status.BUDGET_SPENT), int(Status.NOT_A_DESCENT))
    reason = ops.where(finite, reason, int(Status.NOT_FINITE))
    found = ops.logical_and(found, descends(start))
    return Accepted(
        ops.where(found, alpha, ops.zeros_like(alpha)),
        ops.where(found, value, start.value),
        evaluations,
        ops.cast(ops.where(found, status, reason), "int32"),
    )


def count(number: int) -> Tensor:
    """A counter of evaluations as a tensor: loops need a dtype that stays."""
    return ops.convert_to_tensor(number, dtype="int32")


def at_most(x: Tensor, limit: Any) -> Tensor:
    """Return min(x, limit) in the dtype of `x`: on PyTorch `ops.minimum` makes float32 of float64. NaN stays NaN."""
    return ops.where(x > limit, limit, x)


def at_least(x: Tensor, limit: Any) -> Tensor:
    """Return max(x, limit) in the dtype of `x`."""
    return ops.where(x < limit, limit, x)
