"""Test-time optimization: the gradient of the entropy, and agreement with what is given."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from monai_xray2mri.diffusion.samplers import ddim
from monai_xray2mri.systems.mri_xdiffusion.drawing import SliceView
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion
from monai_xray2mri.systems.mri_xdiffusion.planes import places, plane_rotation, poses, ticks, view_places
from monai_xray2mri.systems.mri_xdiffusion.refinement import consistent, entropy_gradient, entropy_refined

SIZE = 16


def test_the_gradient_is_that_of_the_entropy() -> None:
    eps = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    log_p = eps.flatten(1).log_softmax(dim=1)
    (-(log_p.exp() * log_p).sum()).backward()
    torch.testing.assert_close(entropy_gradient(eps.detach()), eps.grad)


@pytest.mark.parametrize("maximize", [True, False])
def test_the_predicted_noise_has_more_entropy_or_less(network: CrossSectionDiffusion, maximize: bool) -> None:
    schedule, place, t = network.schedule, view_places(torch.eye(3), SIZE)[:2], torch.tensor([60, 60])
    z_t, eps = torch.randn(2, 16, 4, 4), torch.randn(2, 16, 4, 4)
    a, s = schedule.coefficients(t, z_t)

    def model(z_t: Tensor, t: Tensor) -> Tensor:
        return schedule.target((z_t - s * eps) / a, t, eps)

    z_0, moved = schedule.split(entropy_refined(maximize, weight=10.0)(model, schedule, place)(z_t, t), z_t, t)
    torch.testing.assert_close(a * z_0 + s * moved, z_t)
    before, after = (-(one.flatten(1).softmax(1) * one.flatten(1).log_softmax(1)).sum() for one in (eps, moved))
    assert (after > before) == maximize


def test_a_section_agrees_with_the_slices_that_it_crosses(network: CrossSectionDiffusion) -> None:
    """The slice itself becomes the input; a section at right angles shows its line; others are left alone."""
    image = torch.rand(1, 1, SIZE, SIZE)
    depth = ticks(SIZE)[5:6]
    given = SliceView(image * 2 - 1, poses(places(plane_rotation(0)[None], depth))[None], "1")
    place = torch.cat(
        [places(plane_rotation(axis)[None], ticks(SIZE)[at][None]) for axis, at in ((0, 5), (1, 3), (0, 9))]
    )
    refinement = consistent(network, given.slabs())
    nothing = torch.zeros(3, *network.latent_shape())

    def black(z_t: Tensor, t: Tensor) -> Tensor:
        return network.schedule.target(nothing, t, z_t / network.schedule.coefficients(t, z_t)[1])

    z_0 = ddim(refinement(black, network.schedule, place), torch.randn_like(nothing), network.schedule, 2)
    shown = (network.decode(z_0)[:, 0] + 1) / 2
    torch.testing.assert_close(shown[0], image[0, 0], atol=1e-4, rtol=0)
    line = SIZE - 1 - 5  # rows of sections along axis 1 run against the depth of axis 0
    torch.testing.assert_close(shown[1, line], image[0, 0, 3], atol=1e-4, rtol=0)
    assert (shown[1] > 1e-4).sum() <= SIZE and not (shown[2] > 1e-4).any()
