"""A rate for each layer: any optimizer, with factors on its rate by the names of variables.

A factor on the gradient would do nothing under Adam, which divides it out again; this is a factor on the rate.
"""

import re
from collections.abc import Mapping
from types import MethodType
from typing import Any

import keras

from keras_lr._arguments import Argument, number
from keras_lr._backends import lists
from keras_lr._backends.wrapped_optimizers import innermost
from keras_lr.optimizers._across_batches import AcrossBatches
from keras_lr.optimizers._global import GlobalOptimizer
from keras_lr.optimizers._lending import LendingOptimizer
from keras_lr.optimizers._proposals import checked_optimizer, refuse_loss_scaling


@keras.saving.register_keras_serializable(package="keras_lr")
class PerLayer(LendingOptimizer):
    """Multiply the rate of an optimizer by a factor of its own for each layer; 0 freezes.

    Args:
        optimizer: any optimizer, or its name. What clips, accumulates or averages is an argument of it.
        factors: a factor for each pattern, ``{"encoder/.*": 0.1, "embedding": 0}``. A pattern is a regular expression
            for one or more whole parts of a variable's path (``"dense"`` is in ``"model/dense/kernel"`` and not in
            ``"model/dense_1/kernel"``). A variable that several patterns match takes the last of them; one that none
            matches keeps the rate. Weight decay, where it is tied to the rate, has the factor as well.
        name: name of the optimizer.

    Raises:
        ValueError: ``optimizer`` is none; a factor is negative; at ``build``, a pattern matches no variable (the
            message lists those that there are), or every variable is frozen.
        TypeError: ``optimizer`` searches along a line, where a layer has no rate of its own, scales the loss, or is
            several.

    Costs:
        One call of the optimizer's update for each different factor in place of one.

    Example:
        >>> import keras, numpy as np
        >>> from keras_lr.optimizers import PerLayer
        >>> layers = [keras.Input((2,)), keras.layers.Dense(3, name="body"), keras.layers.Dense(1, name="head")]
        >>> model = keras.Sequential(layers)
        >>> model.compile(PerLayer(keras.optimizers.Adam(1e-3), {"body": 0}), loss="mse")
        >>> body = model.get_weights()[0]
        >>> _ = model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
        >>> bool((model.get_weights()[0] == body).all())
        True
    """

    def __init__(self, optimizer: Any, factors: Mapping[str, float], *, name: str = "per_layer") -> None:
        super().__init__(learning_rate=0.0, name=name)
        if not isinstance(factors, Mapping):
            wanted = "a dictionary of factors by pattern, such as {'encoder/.*': 0.1},"
            raise TypeError(Argument("PerLayer", "factors").refusal(wanted, factors))
        for pattern, factor in factors.items():
            number(least=0.0, remedy="0 freezes.")(factor, Argument("PerLayer", f"factors[{pattern!r}]"))
            try:
                whole_parts(pattern)
            except re.error as error:
                flag = "It becomes a part of a longer one, in which a flag is written as (?i:dense)."
                raise ValueError(
                    f"factors={{{pattern!r}: ...}} holds no regular expression: {error}. {flag}"
                ) from error
        self.inner_optimizer = checked_optimizer("PerLayer", "optimizer", optimizer)
        refuse_loss_scaling("PerLayer", self.inner_optimizer)
        core = innermost(self.inner_optimizer)
        if hasattr(core, "optimizers"):
            raise TypeError(
                f"{type(core).__name__} holds several optimizers, each for layers of its own: give each the rate that "
                "its layers are to have."
            )
        searches = getattr(core, "needs_batch", False) and not isinstance(core, GlobalOptimizer)
        if searches or isinstance(core, AcrossBatches):
            raise TypeError(
                f"{type(core).__name__} finds one step for the whole direction: a layer has no rate of its own. "
                "A LineSearch takes PerLayer(...) as its direction."
            )
        self.factors = {pattern: float(factor) for pattern, factor in factors.items()}

    def build(self, variables: list[Any]) -> None:
        """Find the factor of each variable, and let the inner optimizer see to it."""
        if self.built:
            return
        factors = factors_of([path_of(v) for v in variables], self.factors)
        if not any(factors):
            raise ValueError(f"PerLayer froze every variable; received factors={self.factors}. Leave one to train.")
        core = innermost(self.inner_optimizer)
        if isinstance(core, GlobalOptimizer):
            core.layer_factors = factors
        self.inner_optimizer.build(variables)
        if not isinstance(core, GlobalOptimizer):
            _Groups(core, factors).take_over()
        super().build(variables)
        self._moves = [factor > 0.0 for factor in factors]

    def apply(self, grads: list[Any], trainable_variables: list[Any] | None = None) -> None:
        """Update the variables that are not frozen."""
        if not self.built:
            self.build(list(trainable_variables or []))
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        moving = [(g, v) for g, v in zip(grads, variables, strict=True) if self._moves[self._get_variable_index(v)]]
        self.inner_optimizer.apply([g for g, _ in moving], [v for _, v in moving])

    @property
    def variables(self) -> list[Any]:
        """The variables of the inner optimizer."""
        return self.inner_optimizer.variables

    @property
    def learning_rate(self) -> Any:
        """The rate of a layer whose factor is 1."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value

    @property
    def iterations(self) -> Any:
        """The steps taken."""
        return self.inner_optimizer.iterations

    def scale_loss(self, loss: Any) -> Any:
        """Scale the loss as the inner optimizer does."""
        return self.inner_optimizer.scale_loss(loss)

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """End ``fit`` as the inner optimizer does."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        inner = keras.saving.serialize_keras_object(self.inner_optimizer)
        return {"optimizer": inner, "factors": dict(self.factors), "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "PerLayer":
        """Rebuild from ``get_config``."""
        return cls(**keras.saving.deserialize_keras_object(config, custom_objects=custom_objects))


class _Groups:
    """Stand between a Keras optimizer and its two collective hooks, and call them once for each factor."""

    def __init__(self, optimizer: Any, factors: list[float]) -> None:
        self.optimizer = optimizer
        self.factors = factors
        # From the class: the optimizer itself may have the hooks of another PerLayer, in which it was before.
        kind = type(optimizer)
        self.update = MethodType(kind._backend_update_step, optimizer)
        self.decay = MethodType(kind._apply_weight_decay, optimizer)
        # What belongs to no variable of the model, as Nadam's product of decays, is to move on once a step.
        own = (v for name, v in vars(optimizer).items() if name not in ("_iterations", "_learning_rate"))
        self.shared = [v for v in own if isinstance(v, keras.Variable)]

    def take_over(self) -> None:
        self.optimizer._backend_update_step = self.update_by_factor
        self.optimizer._apply_weight_decay = self.decay_by_factor

    @lists.without_gradients
    def update_by_factor(self, grads: list[Any], variables: list[Any], learning_rate: Any) -> None:
        before = [lists.copy(lists.read([v], v.dtype)) for v in self.shared]
        for factor, group in self.groups(variables).items():
            for variable, value in zip(self.shared, before, strict=True):
                lists.write([variable], value)
            own = [grads[i] for i in group]
            self.update(own, [variables[i] for i in group], learning_rate * factor)

    def decay_by_factor(self, variables: list[Any]) -> None:
        numbers = self.optimizer.__dict__  # an attribute set the ordinary way would be tracked if it is a variable
        decay = numbers["weight_decay"]
        if decay is None:
            return
        for factor, group in self.groups(variables).items():
            numbers["weight_decay"] = decay * factor
            self.decay([variables[i] for i in group])
        numbers["weight_decay"] = decay

    def groups(self, variables: list[Any]) -> dict[float, list[int]]:
        found: dict[float, list[int]] = {}
        for position, variable in enumerate(variables):
            factor = self.factors[self.optimizer._get_variable_index(variable)]
            found.setdefault(factor, []).append(position)
        return found


def factors_of(paths: list[str], factors: Mapping[str, float]) -> list[float]:
    """Return the factor of each path; a pattern that matches none of them is an error."""
    found, unused = [1.0] * len(paths), set(factors)
    for pattern, factor in factors.items():
        for i, path in enumerate(paths):
            if whole_parts(pattern).search(path):
                found[i] = factor
                unused.discard(pattern)
    if unused:
        raise ValueError(
            f"These patterns of PerLayer match no trainable variable: {sorted(unused)}. A pattern has to cover whole "
            f"parts of a path, between slashes. The paths are:\n  " + "\n  ".join(paths)
        )
    return found


def whole_parts(pattern: str) -> re.Pattern[str]:
    """Return the expression that finds a pattern where it covers whole parts of a path, between slashes."""
    return re.compile(rf"(?:^|/)(?:{pattern})(?:$|/)")


def path_of(variable: Any) -> str:
    """Return the path of a Keras variable, or the name of a TensorFlow one."""
    return getattr(variable, "path", None) or variable.name
