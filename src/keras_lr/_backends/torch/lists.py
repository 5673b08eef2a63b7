"""Arithmetic on lists of tensors in PyTorch's grouped kernels, in place wherever the vocabulary allows it.

One ``torch._foreach_*`` call replaces a Python loop, and an in-place kernel writes no fresh memory: on a
large model page faults, not arithmetic, are what an eager optimizer pays for. A scale that is a tensor is read
on the host (``.tolist()``), free on a CPU and one synchronisation on an accelerator.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import torch
from keras.src.backend.common.stateless_scope import in_stateless_scope

from keras_lr._backends.ops.lists import after as after
from keras_lr._backends.ops.lists import computed as computed
from keras_lr._backends.ops.lists import once_known as once_known

Tensors = list[Any]
_Function = TypeVar("_Function", bound=Callable[..., Any])


def without_gradients(function: _Function) -> _Function:
    """Decorate a function that must not be differentiated."""
    return cast(_Function, torch.no_grad()(function))


def read(variables: list[Any], dtype: str) -> Tensors:
    """Return the values of ``variables`` in ``dtype``: the live buffers where the dtype is already right."""
    wanted = getattr(torch, dtype)
    return [x if x.dtype == wanted else x.to(wanted) for x in _buffers(variables)]


def write(variables: list[Any], values: Tensors) -> None:
    """Store ``values`` in ``variables``; those that were changed in place are there already."""
    pairs = [(x, y) for x, y in zip(_buffers(variables), values, strict=True) if x is not y]
    if pairs:
        torch._foreach_copy_([x for x, _ in pairs], [y for _, y in pairs])


def dense(gradients: Sequence[Any], variables: list[Any]) -> Tensors:
    """Return the gradients of ``variables`` as dense tensors; None stays None."""
    return [g.to_dense() if g is not None and g.is_sparse else g for g in gradients]


def to_dtype(a: Tensors, dtype: str) -> Tensors:
    """Return the tensors in ``dtype``: the same ones where that is right already."""
    wanted = getattr(torch, dtype)
    return [x if x.dtype == wanted else x.to(wanted) for x in a]


def thin(a: Tensors, every: int) -> Tensors:
    """Return one entry out of ``every`` of each tensor, as vectors; the tensors themselves for 1."""
    return a if every == 1 else [x.reshape(-1)[::every] for x in a]


def joined(a: Tensors) -> Any:
    """Return the entries of all tensors, end to end, in memory of their own."""
    return torch.cat([x.reshape(-1) for x in a])


def parts(vector: Any, shapes: list[tuple[int, ...]]) -> Tensors:
    """Return the tensors of ``shapes`` that lie end to end in a vector, as views."""
    pieces = torch.split(vector, [math.prod(shape) for shape in shapes])
    return [x.view(shape) for x, shape in zip(pieces, shapes, strict=True)]


def larger(a: Any, b: Any) -> Any:
    """Return the larger of the numbers a (a tensor) and b, in the dtype of a; ``ops.maximum`` rounds float64."""
    return torch.clamp(a, min=b)


def smaller(a: Any, b: Any) -> Any:
    """Return the smaller of the numbers a (a tensor) and b, in the dtype of a."""
    return torch.clamp(a, max=b)


def dots(a: Tensors, b: Tensors, minus: Tensors | None = None) -> Any:
    """⟨aᵢ, bᵢ⟩ for each variable, or ⟨aᵢ, bᵢ - minusᵢ⟩ without cancellation: shape ``(n,)``."""
    if minus is not None:
        b = torch._foreach_sub(b, minus)
    return torch.stack([torch.dot(x.reshape(-1), y.reshape(-1)) for x, y in zip(a, b, strict=True)])


def dots_over_root(a: Tensors, b: Tensors, v: Tensors, epsilon: float) -> Any:
    """⟨aᵢ, bᵢ / (√vᵢ + epsilon)⟩ for each variable: shape ``(n,)``."""
    return dots(a, under_(root(v, epsilon), b))


def squares(a: Tensors) -> Any:
    """‖aᵢ‖² for each variable: shape ``(n,)``."""
    return torch.square(torch.stack(torch._foreach_norm(a)))


def norms(a: Tensors) -> Any:
    """‖aᵢ‖₁ for each variable: shape ``(n,)``."""
    return torch.stack(torch._foreach_norm(a, 1))


def distances(a: Tensors, b: Tensors) -> Any:
    """‖aᵢ - bᵢ‖² for each variable: shape ``(n,)``."""
    return squares(torch._foreach_sub(a, b))


def copy(a: Tensors) -> Tensors:
    """Return a list that may be consumed by a verb with an underscore while ``a`` lives on."""
    return [x.clone() for x in a]


def where_(condition: Any, change: Callable[..., Tensors], a: Tensors, *others: Tensors) -> Tensors:
    """Return ``change(a, *others)`` where the scalar ``condition`` holds, else a. Nothing is computed otherwise."""
    return change(a, *others) if bool(condition) else a


def copy_where_(a: Tensors, b: Tensors, condition: Any) -> Tensors:
    """Return a copy of b where the scalar ``condition`` holds, else a."""
    if bool(condition):
        torch._foreach_copy_(a, b)
    return a


def swap_where_(a: Tensors, b: Tensors, condition: Any) -> tuple[Tensors, Tensors]:
    """Return (b, a) where the scalar ``condition`` holds, else (a, b). Both may be consumed."""
    if bool(condition):
        kept = copy(a)
        torch._foreach_copy_(a, b)
        torch._foreach_copy_(b, kept)
    return a, b


def add_(a: Tensors, b: Tensors, scale: Any = 1.0) -> Tensors:
    """Return a + scale · b."""
    scale = _number(scale)
    if isinstance(scale, list):
        torch._foreach_add_(a, torch._foreach_mul(b, scale))
    else:
        torch._foreach_add_(a, b, alpha=scale)
    return a


def scale_(a: Tensors, scale: Any) -> Tensors:
    """Return scale · a."""
    torch._foreach_mul_(a, _number(scale))
    return a


def lerp_(a: Tensors, b: Tensors, weight: Any) -> Tensors:
    """Return a + weight · (b - a)."""
    torch._foreach_lerp_(a, b, _number(weight))
    return a


def addcmul_(a: Tensors, b: Tensors, c: Tensors, scale: Any = 1.0) -> Tensors:
    """Return a + scale · b · c."""
    scale = _number(scale)
    if isinstance(scale, list):
        torch._foreach_addcmul_(a, b, c, scalars=scale)
    else:
        torch._foreach_addcmul_(a, b, c, value=scale)
    return a


def addcdiv_(a: Tensors, b: Tensors, c: Tensors, scale: Any = 1.0) -> Tensors:
    """Return a + scale · b / c."""
    scale = _number(scale)
    if isinstance(scale, list):
        torch._foreach_addcdiv_(a, b, c, scalars=scale)
    else:
        torch._foreach_addcdiv_(a, b, c, value=scale)
    return a


def maximum_(a: Tensors, b: Tensors) -> Tensors:
    """Return the larger of a and b, entry by entry."""
    torch._foreach_maximum_(a, b)
    return a


def clip_(a: Tensors, low: float | None = None, high: float | None = None) -> Tensors:
    """Return a, not below ``low`` and not above ``high``."""
    if low is not None:
        torch._foreach_clamp_min_(a, low)
    if high is not None:
        torch._foreach_clamp_max_(a, high)
    return a


def abs_(a: Tensors) -> Tensors:
    """Return |a|."""
    torch._foreach_abs_(a)
    return a


def multiply_(a: Tensors, b: Tensors) -> Tensors:
    """Return a · b, entry by entry."""
    torch._foreach_mul_(a, b)
    return a


def under_(a: Tensors, b: Tensors) -> Tensors:
    """Return b / a: the quotient takes the place of the denominator."""
    torch._foreach_reciprocal_(a)
    torch._foreach_mul_(a, b)
    return a


def root(a: Tensors, epsilon: Any = 0.0) -> Tensors:
    """Return √a + epsilon as a new list."""
    result = list(torch._foreach_sqrt(a))
    torch._foreach_add_(result, _number(epsilon))
    return result


def sign_(a: Tensors) -> Tensors:
    """Return the sign of each entry, 0 for 0."""
    torch._foreach_sign_(a)
    return a


def _number(scale: Any) -> Any:
    return scale.tolist() if isinstance(scale, torch.Tensor) else scale


def _buffers(variables: list[Any]) -> Tensors:
    # ``v.value`` asks three global scopes each time, which is a third of a step of a deep model; one is enough here.
    if in_stateless_scope():
        return [v.value for v in variables]
    return [v._value for v in variables]
