"""Arguments of the base class that a method cannot live with, refused at construction."""

from typing import Any


def refuse_weight_decay(name: str, arguments: dict[str, Any]) -> None:
    """Refuse ``weight_decay`` for a method whose point is made of its start and its gradients alone."""
    if arguments.get("weight_decay"):
        raise ValueError(
            f"{name} makes each point of its start and the sum of its gradients, which decoupled weight decay "
            f"would contradict; received weight_decay={arguments['weight_decay']}. Use "
            "kernel_regularizer=keras.regularizers.L2(...) in the layers instead."
        )


def refuse_clipping(name: str, arguments: dict[str, Any]) -> None:
    """Refuse clipping for a method that compares the loss with its gradient."""
    for clipping in ("clipnorm", "global_clipnorm", "clipvalue"):
        if arguments.get(clipping) is not None:
            raise ValueError(
                f"{name} compares the loss with its gradient, which clipping parts from each other; received "
                f"{clipping}={arguments[clipping]}. Leave it out: the step is bounded as it is."
            )
