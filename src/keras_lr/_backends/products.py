"""Two inner products over all variables at once: how a search measures its slope and the gradient.

One verb. ``products(a, b)`` gives ⟨a, b⟩ and ⟨a, a⟩, to be unpacked.
"""

from collections.abc import Callable
from typing import Any

from keras_lr._backends.choice import module_of

products: Callable[[list[Any], list[Any]], tuple[Any, Any]] = module_of("products").products
