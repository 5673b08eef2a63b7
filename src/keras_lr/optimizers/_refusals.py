"""What a method cannot live with, refused at construction or at `build`."""

from typing import Any

from keras_lr._arguments import Argument, check, is_number, number
from keras_lr.line_search import SLS


def refuse(owner: str, name: str, given: Any, reason: str, remedy: str) -> None:
    """Raise `ValueError` if an argument is given, other than None, that a method cannot live with."""
    if given is not None:
        raise ValueError(f"{owner} takes no {name}, {reason}. Received: {name}={given!r}. {remedy}")


def refuse_weight_decay(owner: str, arguments: dict[str, Any]) -> None:
    """Refuse ``weight_decay`` for a method whose point is made of its start and its gradients alone."""
    reason = "as it makes each point of its start and the sum of its gradients alone"
    remedy = "Use kernel_regularizer=keras.regularizers.L2(...) in the layers instead."
    refuse(owner, "weight_decay", arguments.get("weight_decay") or None, reason, remedy)


def refuse_clipping(owner: str, arguments: dict[str, Any], remedy: str) -> None:
    """Refuse clipping for a method that takes the gradient for that of the loss."""
    for name in ("clipnorm", "global_clipnorm", "clipvalue"):
        refuse(owner, name, arguments.get(name), "as a clipped gradient is no longer that of the loss", remedy)


def refuse_accumulation(owner: str, steps: int | None) -> None:
    """Refuse ``gradient_accumulation_steps`` for a method that compares losses of one batch."""
    reason = "as an accumulated gradient belongs to several batches, and the loss to one"
    refuse(owner, "gradient_accumulation_steps", steps or None, reason, "Use larger batches instead.")


def refuse_overwriting(owner: str, frequency: int | None) -> None:
    """Refuse ``ema_overwrite_frequency`` for a method that has to find the weights where it left them."""
    reason = "which moves the weights between its steps"
    remedy = "With use_ema=True alone the average is put in place after fit."
    refuse(owner, "ema_overwrite_frequency", frequency or None, reason, remedy)


def refuse_what_moves(owner: str, arguments: dict[str, Any]) -> None:
    """Refuse arguments of the base class that a search along a line cannot live with."""
    rate, decay = arguments.pop("learning_rate", None), arguments.get("weight_decay")
    refuse(owner, "learning_rate", rate, "as its search finds how far to go", "Leave it out.")
    beside = "The `direction` of a LineSearch may have it."
    refuse(owner, "weight_decay", decay, "which moves the weights off the line", f"Use a regularizer. {beside}")
    refuse_clipping(owner, arguments, beside)
    refuse_accumulation(owner, arguments.get("gradient_accumulation_steps"))
    refuse_overwriting(owner, arguments.get("ema_overwrite_frequency"))


def checked_rate(owner: str, learning_rate: Any) -> Any:
    """Return a learning rate, a whole number as a float; refuse a number that is no rate. Keras refuses all else."""
    if not (isinstance(learning_rate, bool) or is_number(learning_rate)):
        return learning_rate
    return number(least=0.0, remedy="A schedule will do, too.")(learning_rate, Argument(owner, "learning_rate"))


def checked_search(search: Any) -> Any:
    """Return what `LineSearch` searches with; refuse what is none, and what `GradientOnly` searches with."""
    argument = Argument("LineSearch", "search")
    made = search is not SLS and not isinstance(search, type)
    if not made or not callable(getattr(search, "step", search)):
        raise ValueError(argument.refusal("a search such as line_search.PAL()", search))
    if hasattr(search, "needs_value"):
        remedy = f"It judges a trial by the next batch: GradientOnly(line_search.{type(search).__name__}())."
        raise ValueError(argument.refusal("a search within one batch, such as line_search.PAL(),", search, remedy))
    return search


def refuse_constraints(variables: list[Any]) -> None:
    """Refuse constrained weights for a method that moves along a line."""
    for variable in variables:
        if getattr(variable, "constraint", None) is not None:
            raise ValueError(
                f"The weight {variable.path} has a constraint, {variable.constraint}, which would move trial points "
                "off the line that is searched. Remove it, or use a regularizer, which the search takes into account."
            )


def check_cap_and_first_trial(optimizer: Any) -> None:
    """Refuse a cap, a horizon or a first trial that is out of range."""
    units = {"max_update_ratio": "as a part of that of the weights", "max_update_norm": "in the unit of the weights"}
    for cap, unit in units.items():
        if (given := getattr(optimizer, cap)) is not None and not callable(given):
            check(optimizer, cap, above=0.0, remedy=f"It bounds the length of an update, {unit}.")
    if optimizer.decay_steps is not None:
        check(optimizer, "decay_steps", least=1, remedy="Leave it out where the horizon is not known.")
    check(optimizer, "initial_step", above=0.0, remedy="1e-4 is safe nearly everywhere.")
