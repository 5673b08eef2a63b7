"""Double precision on PyTorch: NumPy itself where the step lies on the host, else float64 tensors.

In eager mode on a CPU a scalar in NumPy costs a tenth of a chain of tensor operations. On an accelerator the step is
not read back, which would stall it; Apple's has no float64, so there the formula runs in float32.
"""

import types
from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def evaluate(formula: Callable[[Any, Any], Any], step: Any, dtype: str) -> Any:
    """Compute ``formula(step, namespace)`` in float64 and round it to ``dtype``."""
    step = torch.as_tensor(step)
    rounded = getattr(torch, dtype)
    if step.ndim == 0 and step.device.type == "cpu" and not torch.compiler.is_compiling():
        with np.errstate(all="ignore"):
            return torch.tensor(float(formula(np.float64(step.item()), _NUMPY)), dtype=rounded)
    namespace = _Namespace(step.device)
    return namespace.asarray(formula(namespace.asarray(step), namespace)).to(rounded)


# NumPy for one number, where choosing between two needs no array.
_NUMPY = types.SimpleNamespace(**{**vars(np), "where": lambda condition, x, y: x if condition else y})


class _Namespace:
    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.dtype = torch.float32 if device.type == "mps" else torch.float64

    def asarray(self, x: Any) -> Any:
        return torch.as_tensor(x, device=self.device).to(self.dtype)

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        return torch.where(condition, self.asarray(x), self.asarray(y))

    def take(self, table: Any, index: Any) -> Any:
        return self.asarray(table)[torch.as_tensor(index, device=self.device).to(torch.int64)]

    def __getattr__(self, name: str) -> Any:
        function = getattr(torch, name)
        return lambda *arguments: function(*map(self.asarray, arguments))
