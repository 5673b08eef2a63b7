"""Recipes for ``PerLayer``: factors for the layers of a model, by depth or by width."""

import math
import posixpath
import re
from collections.abc import Iterator
from typing import Any

import keras

from keras_lr._arguments import Argument, number


def layerwise_decay(model: keras.Model, decay: float = 0.75) -> dict[str, float]:
    """Return factors that fall from 1 in the last layer by ``decay`` a layer towards the first: for fine-tuning.

    Layer l of L has the factor ``decay^(L - l)``, counted over the layers that hold trainable weights; models within
    the model are taken apart. Do not use it to train from scratch, where it is harmful.

    Args:
        model: a built model.
        decay: 0.65 to 0.75 for vision transformers, 0.9 to 0.95 for BERT and its like. In (0, 1].

    Returns:
        The ``factors`` of ``PerLayer``.

    Raises:
        TypeError: ``model`` is no Keras model.
        ValueError: ``decay`` is not in (0, 1], or the model has no trainable weights (build it first).

    Reference:
        Clark et al. 2020, ELECTRA, https://arxiv.org/abs/2003.10555; Bao et al. 2021, BEiT,
        https://arxiv.org/abs/2106.08254

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import PerLayer, layerwise_decay
        >>> names = ["a", "b", "c"]
        >>> model = keras.Sequential([keras.Input((2,))] + [keras.layers.Dense(2, name=n) for n in names])
        >>> layerwise_decay(model, 0.5)
        {'a/.*': 0.25, 'b/.*': 0.5, 'c/.*': 1.0}
        >>> optimizer = PerLayer(keras.optimizers.Adam(1e-3), layerwise_decay(model, 0.5))
    """
    decay = number(above=0.0, most=1.0)(decay, Argument("layerwise_decay", "decay"))
    _require_weights("model", model)
    layers = [layer for layer in _leaves(model) if layer.trainable_variables]
    prefixes = dict.fromkeys(_prefix(model, layer) for layer in layers)
    return {f"{prefix}/.*": decay ** (len(prefixes) - 1 - i) for i, prefix in enumerate(prefixes)}


def mup_adam(model: keras.Model, narrow: keras.Model) -> dict[str, float]:
    """Return the factors by which a rate that suits Adam on ``narrow`` suits it on a wider ``model``.

    Weights whose inputs were widened by w have the factor 1 / w, all others 1 (table 3 of the paper). The rate then
    transfers from width to width; start the output layer with the variance 1 / fan_in² and divide attention by the
    size of a head, not by its root.

    Args:
        model: the wide model, built.
        narrow: the same model at the width where the rate was found.

    Returns:
        The ``factors`` of ``PerLayer``, for variables whose factor is not 1.

    Raises:
        TypeError: one of them is no Keras model.
        ValueError: the models differ in more than width, or one has no trainable weights.

    Reference:
        Yang et al. 2022, Tensor Programs V, table 3, https://arxiv.org/abs/2203.03466

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import mup_adam
        >>> def network(width):
        ...     sizes = {"first": width, "second": width, "head": 1}
        ...     return keras.Sequential([keras.Input((4,))] + [keras.layers.Dense(n, name=k) for k, n in sizes.items()])
        >>> mup_adam(network(64), network(16))
        {'second/kernel': 0.25, 'head/kernel': 0.25}
    """
    return _widened(model, narrow, lambda fan_in, fan_out: 1.0 / fan_in)


def mup_sgd(model: keras.Model, narrow: keras.Model) -> dict[str, float]:
    """Return the factors of ``mup_adam`` for SGD: the growth of the outputs over that of the inputs.

    w for input weights and biases, 1 for hidden weights, 1 / w for output weights (table 3 of the paper).

    Args:
        model: the wide model, built.
        narrow: the same model at the width where the rate was found.

    Returns:
        As ``mup_adam``.

    Raises:
        ValueError: as ``mup_adam``.

    Reference:
        Yang et al. 2022, Tensor Programs V, table 3, https://arxiv.org/abs/2203.03466

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import mup_sgd
        >>> def network(width):
        ...     return keras.Sequential([keras.Input((4,)), keras.layers.Dense(width, name="only", use_bias=False)])
        >>> mup_sgd(network(64), network(16))
        {'only/kernel': 4.0}
    """
    return _widened(model, narrow, lambda fan_in, fan_out: fan_out / fan_in)


def _widened(model: keras.Model, narrow: keras.Model, rule: Any) -> dict[str, float]:
    _require_weights("model", model)
    _require_weights("narrow", narrow)
    wide_variables, narrow_variables = model.trainable_variables, narrow.trainable_variables
    if [len(v.shape) for v in wide_variables] != [len(v.shape) for v in narrow_variables]:
        raise ValueError(
            f"The two models are to differ in width alone; {model.name} and {narrow.name} have weights of other kinds: "
            f"{[tuple(v.shape) for v in wide_variables]} and {[tuple(v.shape) for v in narrow_variables]}"
        )
    holders = {id(v): layer for layer in model._flatten_layers() for v in layer.trainable_variables}  # the innermost
    factors = {}
    for wide, slim in zip(wide_variables, narrow_variables, strict=True):
        holder = holders[id(wide)]
        (wide_in, wide_out), (slim_in, slim_out) = _fans(holder, wide), _fans(holder, slim)
        factor = rule(wide_in / slim_in, wide_out / slim_out)
        if factor != 1.0:
            factors[_escaped(model, wide.path)] = factor
    return factors


_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


def _fans(layer: Any, variable: Any) -> tuple[float, float]:
    """Return inputs and outputs of a weight of a layer, but for the window of a convolution, which no width changes.

    A vector, a bias and a depthwise kernel, each of whose outputs sees one input, have outputs alone.
    """
    shape = tuple(variable.shape)
    if len(shape) < 2 or variable.name == "bias":
        return 1.0, float(math.prod(shape))
    if isinstance(layer, _DEPTHWISE) or variable.name == "depthwise_kernel":
        return 1.0, float(math.prod(shape[-2:]))
    if isinstance(layer, keras.layers.EinsumDense):  # as the projections of attention
        inputs, outputs = layer.equation.split("->")
        axes = list(zip(inputs.split(",")[1], shape, strict=True))
        fan_out = math.prod(size for axis, size in axes if axis in outputs)
        return math.prod(shape) / fan_out, float(fan_out)
    fan_in, fan_out = reversed(shape[-2:]) if isinstance(layer, _TRANSPOSED) else shape[-2:]
    return float(fan_in), float(fan_out)


def _leaves(layer: Any) -> Iterator[Any]:
    """Yield the layers of a model in order, those of models within it included."""
    for child in layer.layers:
        if isinstance(child, keras.Model):
            yield from _leaves(child)
        else:
            yield child


def _prefix(model: keras.Model, layer: Any) -> str:
    """Return the part of the paths that the variables of a layer have in common."""
    parents = [_escaped(model, variable.path).rpartition("/")[0] for variable in layer.trainable_variables]
    shared = posixpath.commonpath(parents).split("/")
    places = [i for i, part in enumerate(shared) if part == re.escape(layer.name)]
    return "/".join(shared[: places[-1] + 1] if places else parents[0])


def _escaped(model: keras.Model, path: str) -> str:
    """Return a pattern for a path, without the model's name, which may have another number in another process."""
    return re.escape(path.removeprefix(f"{model.name}/"))


def _require_weights(name: str, model: Any) -> None:
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"{name}={model!r} is not a keras.Model. Its layers say the factors: give a model that is built."
        )
    if not model.trainable_variables:
        raise ValueError(f"{model.name} has no trainable weights; build it first, or let some of it train.")
