"""Compiled evaluations: the same numbers, in training mode alone, and a run goes on where nothing can be compiled."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from monai_xray2mri.diffusion.guidance import Condition
from monai_xray2mri.training import denoiser
from monai_xray2mri.training.compiling import compile_evaluation
from monai_xray2mri.training.denoiser import ConditionalDenoising

CONDITION = Condition(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 3), torch.zeros(2, 0))


def plain(sample: Tensor) -> Tensor:
    return torch.nn.functional.silu(sample * 2 + 1).mean(dim=1)


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_evaluation_gives_the_same_numbers_and_gradients() -> None:
    given = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    results = []
    for evaluate in (plain, compile_evaluation(plain)):
        sample = given.clone().requires_grad_()
        found = evaluate(sample)
        found.square().sum().backward()
        results.append((found, sample.grad))
    assert compile_evaluation(plain) is not plain
    for own, compiled in zip(*results, strict=True):
        torch.testing.assert_close(compiled, own)


def test_without_a_compiler_a_run_goes_on_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no_such_compiler")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.warns(UserWarning, match="Install g\\+\\+"):
        assert compile_evaluation(plain) is plain


def test_only_training_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def denoise(noisy: Tensor, *_: object) -> Tensor:
        return noisy

    monkeypatch.setattr(denoiser, "compile_evaluation", lambda evaluation: lambda *given: evaluation(*given) + 1)
    network = SimpleNamespace(denoise=denoise, denoiser=nn.Identity(), image_encoder=nn.Identity(), named_children=list)
    module, noisy = ConditionalDenoising(network, compiled=True), torch.zeros(2, 1, 4, 4)
    assert module.train().denoise(noisy, noisy, CONDITION, noisy).eq(1).all()
    assert module.eval().denoise(noisy, noisy, CONDITION, noisy).eq(0).all()
    assert ConditionalDenoising(network).train().denoise(noisy, noisy, CONDITION, noisy).eq(0).all()
