"""Picks what the backend does to a pure function of tensors that will be called again and again."""

from collections.abc import Callable
from typing import Any

from keras_lr._backends.choice import module_of

compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = module_of("compiled").compiled
