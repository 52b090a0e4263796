"""Noise of stacks is the process of a volume at their depths."""

from __future__ import annotations

import pytest
import torch

from monai_xray2mri.diffusion.depth_noise import DepthKernel, cosine_transform
from monai_xray2mri.diffusion.stack_noise import correlated

SHAPE = (4, 8, 8)
DEPTHS = torch.tensor([10.0, 11.5, 13.0, 20.5])


def draw(kernel: DepthKernel, stacks: int = 400) -> torch.Tensor:
    white = torch.randn(stacks, len(DEPTHS), *SHAPE, generator=torch.Generator().manual_seed(0))
    return correlated(white, DEPTHS.expand(stacks, -1), kernel)


@pytest.mark.parametrize(
    "kernel",
    [DepthKernel(0.0, 1.5), DepthKernel(0.4, 3.0), DepthKernel(0.1, 1.0, aspect=0.11), DepthKernel(0.0, 0.25)],
)
def test_each_component_is_as_alike_as_the_kernel_says(kernel: DepthKernel) -> None:
    rows = cosine_transform(SHAPE[1])
    components = (rows @ draw(kernel) @ rows.T).movedim(1, 0)  # [N,G,C,h,w]
    lengths = kernel.lengths(*SHAPE[1:]).expand(SHAPE[1:])
    apart = DEPTHS[:, None] - DEPTHS
    for row, column in ((0, 0), (3, 0), (2, 5), (7, 7)):
        numbers = components[..., row, column].flatten(1)  # [N,G*C]
        found = numbers @ numbers.T / numbers.shape[1]
        share = kernel.share
        wanted = share + (1 - share) * torch.exp(-0.5 * (apart / lengths[row, column]) ** 2)
        assert (found - wanted).abs().max() < 5 * 1600**-0.5 * 1.5, (row, column)


def test_one_noise_for_all_and_one_for_each() -> None:
    same = draw(DepthKernel(1.0, 1.5), 3)
    torch.testing.assert_close(same, same[:, :1].expand_as(same), atol=1e-5, rtol=0)
    assert float(same[:, 0].var()) == pytest.approx(1, abs=0.2)
    white = torch.randn(3, 4, *SHAPE, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(draw(DepthKernel(0.0, 0.25), 3), white, atol=1e-3, rtol=0)  # 1.5 mm are 6 lengths


def test_stacks_are_independent_and_only_distances_count() -> None:
    kernel = DepthKernel(0.1, 1.0, aspect=0.11)
    white = torch.randn(2, 4, *SHAPE)
    both = correlated(white, torch.stack([DEPTHS, DEPTHS + 31]), kernel)
    for one in range(2):
        torch.testing.assert_close(both[one], correlated(white[one : one + 1], DEPTHS[None], kernel)[0])
