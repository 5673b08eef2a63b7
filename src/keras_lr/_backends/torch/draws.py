"""The random generators of PyTorch, from which layers without a seed of their own draw."""

import contextlib
from collections.abc import Iterator

import torch
from torch.random import fork_rng as undrawn

__all__ = ["Draws", "draws_now", "replay", "set_draws", "undrawn"]

Draws = tuple[torch.Tensor, list[torch.Tensor]]  # the state of the CPU's generator, and of each accelerator's


def draws_now() -> Draws:
    """Return the state of the generators."""
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []


def set_draws(draws: Draws) -> None:
    """Put the generators where `draws_now` found them."""
    cpu, accelerators = draws
    torch.set_rng_state(cpu)
    if accelerators:
        torch.cuda.set_rng_state_all(accelerators)


@contextlib.contextmanager
def replay(draws: Draws | None) -> Iterator[None]:
    """See `_backends.draws`. Dropout without a seed draws from these generators, not from its seed variable."""
    if draws is None:
        yield
        return
    after = draws_now()
    set_draws(draws)
    try:
        yield
    finally:
        set_draws(after)
