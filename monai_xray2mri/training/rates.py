"""Learning-rate factors by step, for ``torch.optim.lr_scheduler.LambdaLR``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final


def warm_up_and_decay(warm_up: int, total: int) -> Callable[[int], float]:
    """Linear warm-up over ``warm_up`` steps, then linear decay to 5 % at ``total`` steps."""

    def factor(step: int) -> float:
        rise = min(1.0, (step + 1) / warm_up)
        return rise * max(0.05, 1 - 0.95 * step / total)

    return factor


def lambda_linear(warm_up: int, total: int, start: float = 1e-6) -> Callable[[int], float]:
    """Wang 2024a and 2024b: linear from ``start`` to 1 over ``warm_up`` steps, then constant, whatever ``total`` is.

    The papers name Latent Diffusion's rule of this name; its configuration for Zero-123 has one cycle without end.
    """

    def factor(step: int) -> float:
        return min(1.0, start + (1 - start) * step / warm_up)

    return factor


def warm_up_and_cosine(warm_up: int, total: int) -> Callable[[int], float]:
    """Linear warm-up over ``warm_up`` steps, then cosine decay to 0 at ``total`` steps."""

    def factor(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(total - warm_up, 1)))

    return factor


def constant(warm_up: int, total: int) -> Callable[[int], float]:
    """1 at every step, whatever the arguments are."""
    return lambda step: 1.0


RULES: Final = {
    "constant": constant,
    "warm_up_and_decay": warm_up_and_decay,
    "warm_up_and_cosine": warm_up_and_cosine,
    "lambda_linear": lambda_linear,
}
"""Rules by the names that configurations use."""
