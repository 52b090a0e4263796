"""Gradients are clipped where a configuration asks for it, at the end of a step; a rate may be constant."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ignite.engine import Engine
from monai.engines.utils import IterationEvents

from monai_xray2mri.training.handlers import ClipGradient
from monai_xray2mri.training.rates import RULES


def norms(largest: float | None, accumulate: int) -> list[float]:
    """Norm of the gradient after each of four micro-batches whose gradient is (3, 4)."""
    module, seen = torch.nn.Linear(2, 1, bias=False), []

    def micro_batch(engine: Any, batch: int) -> None:
        if batch % accumulate == 0:
            module.zero_grad()
        module(torch.tensor([3.0, 4.0])).sum().backward()
        engine.fire_event(IterationEvents.BACKWARD_COMPLETED)
        seen.append(float(module.weight.grad.norm()))  # type: ignore[union-attr]

    engine: Any = Engine(micro_batch)
    engine.register_events(*IterationEvents)
    engine.scaler = None
    ClipGradient(module, largest, accumulate).attach(engine)
    engine.run(range(4))
    return seen


def test_the_norm_of_a_step_is_bounded() -> None:
    assert norms(None, 1) == pytest.approx([5.0] * 4)
    assert norms(1.0, 1) == pytest.approx([1.0] * 4)
    assert norms(8.0, 1) == pytest.approx([5.0] * 4)
    assert norms(1.0, 2) == pytest.approx([5.0, 1.0, 5.0, 1.0])


def test_a_constant_rate_neither_rises_nor_falls() -> None:
    assert [RULES["constant"](100, 1000)(step) for step in (0, 50, 999)] == [1.0] * 3
