"""The shared base of optimizers whose step size is one number computed from every gradient at once.

Keras updates one variable at a time, and a norm over the whole model does not fit there. Before it loops it
calls one collective hook, ``_backend_update_step(grads, variables, learning_rate)``, with gradients that are
unscaled, accumulated and clipped. All methods of this base override it here, once. Everything else that Keras does
around it (loss scaling, accumulation, clipping, constraints, the average of weights) keeps working.
"""

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lr._backends import lists
from keras_lr._backends.memory import overwrite
from keras_lr.optimizers._lending import LendingOptimizer
from keras_lr.optimizers._packing import Packing
from keras_lr.optimizers._refusals import checked_rate, refuse_overwriting
from keras_lr.optimizers._slots import Slots
from keras_lr.optimizers._whole_gradients import refuse_accumulation_on_replicas, whole

Tensors = list[Any]
State = SimpleNamespace


class GlobalOptimizer(LendingOptimizer):
    """Base of optimizers that look at all gradients before they move any variable.

    A subclass says what it remembers (``build_state``) and how it steps (``step``), in the vocabulary of
    ``keras_lr._backends.lists``, which is fast on every backend. The shell around ``step`` reads all, lets it compute
    all, and only then assigns. Small variables are joined to one tensor (``Packing``), for speed. Computation is in
    float32 at least, whatever the dtype of the weights.

    Args:
        learning_rate: a multiplier of the rate that the method finds, a float or a schedule.
        **kwargs: the arguments of ``keras.optimizers.Optimizer``, except ``ema_overwrite_frequency``, which moves the
            weights behind the method's back. ``weight_decay`` is decoupled and uses the rate that was found.

    Raises:
        ValueError: ``ema_overwrite_frequency`` is set.
    """

    arguments: list[str] = []  # of the class itself; each is kept in an attribute of its name
    packs = True  # whether small variables may be joined; False where a variable's shape, or its own norm, matters
    tuning_free = False  # whether the method needs no rate to begin with, so that the right multiplier is 1

    def __init__(self, learning_rate: Any = 1.0, **kwargs: Any) -> None:
        name = type(self).__name__
        refuse_overwriting(name, kwargs.get("ema_overwrite_frequency"))
        super().__init__(learning_rate=checked_rate(name, learning_rate), **kwargs)
        self.layer_factors: list[float] | None = None

    # What a subclass writes.

    def build_state(self) -> None:
        """Declare the memory: ``add_scalar``, ``add_vector``, ``add_slot``, ``add_start``, ``add_average``."""
        raise NotImplementedError

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        """Return the new weights, having set the new state as attributes of ``state``.

        Args:
            x: the weights, a list of n tensors, one a variable or several joined. May be consumed.
            g: the gradients. Not to be consumed.
            state: what was declared, by name: a scalar of shape ``()``, a vector of shape ``(n,)``, or a list of n
                tensors. ``state.scale`` is to be set to the rate found, per unit of ``rate``. ``state.multiplier`` and
                ``state.factors`` make ``rate``; ``state.variables`` and ``state.gradients`` are the model's, one by
                one. ``state.passing`` may be set to a list that is computed from the gradients, when they are needed no
                more, and is itself needed in this step alone: it gets their memory (``_backends/memory.py``).
            rate: the multiplier at this step, of shape ``()``; of shape ``(n,)`` where ``PerLayer`` gives variables
                factors of their own. Whatever moves a variable is to be proportional to it.

        Returns:
            The new weights.
        """
        raise NotImplementedError

    def resume_(self, x: Tensors, g: Tensors, state: State) -> Tensors:
        """Return the weights to step from, where they are not the ones that the model holds."""
        return x

    # What a subclass calls.

    def add_scalar(self, name: str, initial: float | Sequence[float] = 0.0, shape: tuple[int, ...] = ()) -> None:
        """Declare one number of the model, ``state.<name>``, or a few of them."""
        self._numbers[name] = self._add_number(shape, name, initial)

    def add_vector(self, name: str, initial: float = 0.0) -> None:
        """Declare one number for each variable, ``state.<name>`` of shape ``(n,)``; nothing may be joined."""
        self._vectors[name] = self._add_number((len(self._trainable_variables),), name, initial)

    def add_slot(self, name: str, initial: float = 0.0, every: int = 1) -> None:
        """Declare one tensor for each variable, filled with ``initial``.

        It has the shape of the variable, or with ``every`` > 1 holds one entry out of so many (``lists.thin``).
        """
        groups = self._slots.packing.groups
        self._slots.variables[name] = [self._add_tensor(group, name, initial, every) for group in groups]

    def add_start(self, name: str, every: int = 1) -> None:
        """Declare a copy of the weights as they are at the first step: after ``build`` they may be loaded."""
        self.add_slot(name, every=every)
        self._starts[name] = every

    def add_average(self, name: str) -> None:
        """Declare an average of the weights that ``step`` makes; of a variable without a gradient, its first value."""
        self.add_slot(name)
        self._averages.append(name)

    def decay_(self, x: Tensors, state: State, rate: Any) -> Tensors:
        """Return the weights shrunk by decoupled weight decay, x · (1 - rate · weight_decay)."""
        decay = self.decay(state)
        return x if decay is None else lists.scale_(x, 1.0 - rate * decay)

    def with_decay(self, g: Tensors, x: Tensors, state: State) -> Tensors:
        """Return g + weight_decay · x, where the rate is measured on gradients: it has to know of this part of them."""
        decay = self.decay(state)
        return g if decay is None else lists.add_(lists.copy(g), x, decay)

    def decay(self, state: State) -> Any:
        """Return ``weight_decay``, a number or one a variable where some are excluded; None for no decay."""
        if self.weight_decay is None:
            return None
        decays = state.packing.first([self._use_weight_decay(v) for v in state.variables])
        return self.weight_decay if all(decays) else ops.cast(decays, self.compute_dtype) * self.weight_decay

    def in_training(self) -> list[int]:
        """Return the places of the variables that are not frozen now: a layer may be, long after ``build``."""
        return [i for i, variable in enumerate(self._trainable_variables) if variable.trainable]

    def count(self) -> Any:
        """Return the number of steps taken before this one, as a float tensor of shape ``()``."""
        return ops.cast(self.iterations, self.compute_dtype)

    # What a user sees.

    @property
    def learning_rate(self) -> Any:
        """The effective rate: the multiplier times the rate that the method found at its last step.

        A number that is assigned is an effective rate too, so that ``ReduceLROnPlateau`` and every other
        callback that reads, changes and writes the rate does what it says.
        """
        return self.effective_rate(self._get_current_learning_rate())

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.assign_rate(value)

    def assign_rate(self, value: Any) -> None:
        """Make a number the effective rate, or take a schedule or a function for the multiplier."""
        if self.built and not callable(value):
            scale = self.effective_rate(1.0)
            value = value / ops.where(scale > 0.0, scale, 1.0)
        keras.optimizers.Optimizer.learning_rate.fset(self, value)

    def effective_rate(self, multiplier: Any) -> Any:
        """Return the rate of the last step, where ``learning_rate``, as it was given, was this multiplier."""
        rate = ops.cast(multiplier, "float32")
        return rate * ops.cast(self._numbers["scale"], "float32") if self.built else rate

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = [name for kind in type(self).__mro__ for name in vars(kind).get("arguments", ())]
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    # The shell.

    def build(self, variables: list[Any]) -> None:
        """Create the state for ``variables``."""
        if self.built:
            return
        refuse_accumulation_on_replicas(self)
        super().build(variables)
        self.compute_dtype = lists.precision(variables)
        self._numbers: dict[str, Any] = {}
        self._vectors: dict[str, Any] = {}
        self._starts: dict[str, int] = {}
        self._averages: list[str] = []
        packing = Packing.together([v.shape for v in variables], [self._kind(v) for v in variables])
        self._slots = Slots(packing, self.compute_dtype)
        self.add_scalar("scale", 1.0)
        self.build_state()
        shapes = [packing.shape(group) for group in packing.groups]
        self._lent = self.lend(shapes, lambda i: self._add_tensor(packing.groups[i], "gradient", 0.0, 1))

    def apply(self, grads: Tensors, trainable_variables: list[Any] | None = None) -> None:
        """Update the variables, by gradients that are whole before Keras scales, clips and accumulates them."""
        if trainable_variables is None and self.built:
            trainable_variables = self._trainable_variables
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)
            grads = whole(self, grads, trainable_variables)
        super().apply(grads, trainable_variables)

    @lists.without_gradients
    def _backend_update_step(self, grads: Tensors, trainable_variables: list[Any], learning_rate: Any) -> None:
        by_place = dict(zip(map(self._get_variable_index, trainable_variables), grads, strict=True))
        present = sorted(by_place)  # a loop of one's own may name the variables in any order
        variables, packing = [self._trainable_variables[i] for i in present], self._packing_of(present)
        gradients = lists.to_dtype([by_place[i] for i in present], self.compute_dtype)
        g = packing.pack(gradients)
        before = self._read(packing, present)
        multiplier = ops.cast(self._get_current_learning_rate(), self.compute_dtype)
        state = State(variables=variables, gradients=gradients, packing=packing, multiplier=multiplier, **before)
        state.factors = self._factors(packing, present)
        rate = multiplier * state.factors
        x = self.resume_(packing.pack(lists.read(variables, self.compute_dtype)), g, state)
        self._remember_start(x, state, present, lists.after(ops.equal(self.iterations, 0), g))
        x = self.step(x, g, state, rate)
        passing = vars(state).pop("passing", g)
        self._write(before, state, present)
        lists.write(variables, packing.unpack(x))
        if packing is self._slots.packing:
            overwrite(list(self._lent.values()), [passing[i] for i in self._lent])

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        """Leave the weights alone: decay is the method's own, at the rate that it finds (``decay_``)."""

    def _remember_start(self, x: Tensors, state: State, present: list[int], first: Any) -> None:
        for name, every in self._starts.items():
            setattr(state, name, lists.copy_where_(getattr(state, name), lists.thin(x, every), first))
        absent = [i for i in range(len(self._trainable_variables)) if i not in set(present)]
        others = lists.read([self._trainable_variables[i] for i in absent], self.compute_dtype)
        for name, every in {**self._starts, **dict.fromkeys(self._averages, 1)}.items() if absent else ():
            start = lists.copy_where_(self._slots.apart(name, absent), lists.thin(others, every), first)
            self._slots.write(name, start, Packing.apart([v.shape for v in others]), absent)

    def _factors(self, packing: Packing, present: list[int]) -> Any:
        if self.layer_factors is None:
            return 1.0
        return ops.convert_to_tensor(packing.first([self.layer_factors[i] for i in present]), self.compute_dtype)

    def _packing_of(self, present: list[int]) -> Packing:
        """Return how the variables are joined: not at all where some have no gradient, or another factor since."""
        packing = self._slots.packing
        same = self.weight_decay is None and self.layer_factors is None
        if not same:
            kinds = [self._kind(v) for v in self._trainable_variables]
            same = all(len({kinds[i] for i in group}) == 1 for group in packing.groups)
        if same and len(present) == len(self._trainable_variables):
            return packing
        return Packing.apart([packing.shapes[i] for i in present])

    def _kind(self, variable: Any) -> Any:
        """Return what variables that may be joined have in common: their factors. None where one stays alone."""
        if not self.packs or any(getattr(getattr(variable, "_layout", None), "axes", None) or ()):
            return None
        factor = None if self.layer_factors is None else self.layer_factors[self._get_variable_index(variable)]
        return factor, self.weight_decay is None or self._use_weight_decay(variable)

    def _read(self, packing: Packing, present: list[int]) -> dict[str, Any]:
        numbers = dict(zip(self._numbers, lists.read(list(self._numbers.values()), self.compute_dtype), strict=True))
        vectors = {name: self._taken(v, present) for name, v in self._vectors.items()}
        return {**numbers, **vectors, **self._slots.read(packing, present)}

    def _write(self, before: dict[str, Any], state: State, present: list[int]) -> None:
        after = {name: value for name, value in vars(state).items() if before.get(name, value) is not value}
        numbers = [name for name in after if name in self._numbers]
        lists.write([self._numbers[name] for name in numbers], [after.pop(name) for name in numbers])
        for name, value in after.items():
            if name in self._vectors:
                if len(present) < len(self._trainable_variables):
                    value = ops.scatter_update(self._vectors[name], [[i] for i in present], value)
                self._vectors[name].assign(value)
            else:
                self._slots.write(name, value, state.packing, present)

    def _taken(self, vector: Any, present: list[int]) -> Any:
        vector = ops.convert_to_tensor(vector)
        if len(present) == len(self._trainable_variables):
            return vector
        return ops.take(vector, ops.convert_to_tensor(present, dtype="int32"), axis=0)

    def _add_number(self, shape: tuple[int, ...], name: str, initial: float | Sequence[float]) -> Any:
        return self.add_variable(shape, _filled(initial), self.compute_dtype, aggregation="none", name=name)

    def _add_tensor(self, group: tuple[int, ...], name: str, initial: float, every: int) -> Any:
        first = self._trainable_variables[group[0]]
        shape, alone = self._slots.packing.shape(group), len(group) == 1
        variable = self.add_variable(
            shape=shape if every == 1 else (-(-math.prod(shape) // every),),
            initializer=_filled(initial),
            dtype=self.compute_dtype,
            layout=getattr(first, "_layout", None) if alone and every == 1 else None,
            name=f"{first.path.replace('/', '_')}{'' if alone else '_and_others'}_{name}",
        )
        shapes = [variable.shape] if alone else [self._slots.packing.shapes[i] for i in group]
        variable.slot, variable.members = name, list(zip(group, shapes, strict=True))  # for `save_own_variables`
        return variable


def _filled(initial: float | Sequence[float]) -> keras.initializers.Initializer:
    # A Python float would be rounded to single precision by TensorFlow before it becomes a float64.
    return keras.initializers.Constant(np.asarray(initial, np.float64))
