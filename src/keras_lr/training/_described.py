"""What a training depends on besides weights and data, in values that JSON can hold, and how two such things differ."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_lr._backends.wrapped_optimizers import innermost, wrappers_and_core
from keras_lr.optimizers import PerLayer

_OWN_AFFAIRS = ("name", "learning_rate")


def described(model: keras.Model) -> dict[str, Any]:
    """Return what must be the same in a model that goes on from what was kept, whatever its weights are."""
    settings = _settings(innermost(model.optimizer).get_config())
    for one in wrappers_and_core(model.optimizer):
        if isinstance(one, PerLayer):
            settings["factors"] = one.factors
    weights = [f"{v.name} {tuple(v.shape)} {keras.backend.standardize_dtype(v.dtype)}" for v in model.variables]
    return {
        "backend": keras.backend.backend(),
        "losses": [_loss(given) for given in keras.tree.flatten(model.loss)],
        "optimizer": type(innermost(model.optimizer)).__name__,
        "settings of the optimizer": settings,
        "weights": weights,
    }


def _loss(given: Any) -> Any:
    """Return a compiled loss with its settings; of a function, which may do anything, the name."""
    loss = None if given is None else keras.losses.get(given)
    if isinstance(loss, keras.losses.Loss):
        # Keras leaves some out of the configuration, such as Huber's delta.
        return {"loss": type(loss).__name__, **_settings(loss.get_config() | getattr(loss, "_fn_kwargs", {}))}
    return getattr(loss, "__name__", type(loss).__name__)


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are plain values, and those of what is in it."""
    found = {name: _settings(v) if isinstance(v, Mapping) else v for name, v in config.items() if v is not None}
    return {n: v for n, v in found.items() if n not in _OWN_AFFAIRS and isinstance(v, (bool, int, float, str, dict))}


def difference(name: str, kept: Any, given: Any) -> str:
    """Return in words how what was kept differs from what is given now."""
    if isinstance(kept, list) and isinstance(given, list) and len(kept) == len(given):
        i = next(i for i, (k, g) in enumerate(zip(kept, given, strict=True)) if k != g)
        return f"number {i} of its {name} is {kept[i]}, and here {given[i]}"
    if isinstance(kept, list) and isinstance(given, list):
        return f"it has {len(kept)} {name}, and this model {len(given)}"
    if isinstance(kept, dict) and isinstance(given, dict):
        differing = [n for n in {**kept, **given} if kept.get(n) != given.get(n)]
        kept, given = {n: kept.get(n) for n in differing}, {n: given.get(n) for n in differing}
    return f"{name} was {kept}, and is {given} now"
