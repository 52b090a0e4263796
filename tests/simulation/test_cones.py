"""Cones: frozen, exact, within the ball, a known share of the cube."""

from __future__ import annotations

import pytest
import torch

from monai_xray2mri.errors import UsageError
from monai_xray2mri.simulation.cones import (
    EDGE,
    SPLITS,
    Cones,
    draw_cones,
    split_of,
    without_high_frequencies,
)


@pytest.fixture(scope="module")
def cones() -> Cones:
    return draw_cones(range(40))


@pytest.fixture(scope="module")
def volumes(cones: Cones) -> torch.Tensor:
    return cones.volume(32)


def test_splits_are_disjoint_and_have_the_papers_sizes() -> None:
    seeds = [seed for split in SPLITS.values() for seed in split]
    assert [len(split) for split in SPLITS.values()] == [8000, 1000, 1000] and len(set(seeds)) == 10_000
    assert [split_of(seed) for seed in (7999, 8000, 9000)] == ["training", "validation", "test"]
    with pytest.raises(UsageError, match="0 to 9999"):
        draw_cones([10_000])


def test_a_cone_is_frozen_and_depends_on_its_seed_alone(cones: Cones) -> None:
    """Another draw is another set of cones, and needs another version."""
    again = draw_cones([7, 3])
    assert torch.equal(again.base[1], cones.base[3]) and torch.equal(again.colors[0], cones.colors[7])
    frozen = [[1.2314, 1.0300, 0.8924], [0.3247, 0.4123, 0.3258]]
    torch.testing.assert_close(
        torch.stack([cones.height[:3], cones.radius[:3]]), torch.tensor(frozen), atol=1e-4, rtol=0
    )


def test_cones_fill_their_share_and_stay_within_the_ball(cones: Cones, volumes: torch.Tensor) -> None:
    many = draw_cones(range(0, 8000, 8))
    share = (torch.pi * many.radius**2 * many.height / 24).mean()
    assert 0.0208 < share < 0.0218  # with the voxels that their edges touch, 2.5 % at 64^3
    tip = (many.base + many.axis * many.height[:, None]).norm(dim=1)
    rim = torch.hypot(many.base.norm(dim=1), many.radius)
    assert max(tip.max(), rim.max()) + EDGE < 1
    for side in (volumes[:, 0], volumes[:, :, -1], volumes[..., 0]):
        assert not side.any()


def test_values_are_those_of_the_solid(cones: Cones) -> None:
    """On the axis the inner cone's color; beyond base, tip and mantle nothing; the shell's color between."""

    def at(along: float, across: float) -> torch.Tensor:
        side = torch.linalg.cross(cones.axis, torch.tensor([0.3, 0.5, 0.81]).expand_as(cones.axis))
        side = torch.nn.functional.normalize(side, dim=1)
        height, radius = cones.height[:, None], cones.radius[:, None]
        return cones.values((cones.base + along * height * cones.axis + across * radius * side)[:, None])[:, 0]

    torch.testing.assert_close(at(0.3, 0), cones.colors[:, 2])
    for along, across in ((-0.1, 0), (1.1, 0), (0.5, 0.7)):
        assert not at(along, across).any()
    shell = cones.colors[:, 0] + 0.25 * (cones.colors[:, 1] - cones.colors[:, 0])
    clear = cones.inner < 0.55
    torch.testing.assert_close(at(0.25, 0.6)[clear], shell[clear])


def test_the_masked_twin_has_no_high_frequencies(volumes: torch.Tensor) -> None:
    """Known answer: of two waves within [0,1] the slow one stays; with all frequencies kept, everything does."""
    phase = 2 * torch.pi * torch.arange(32) / 32
    slow, fast = 0.5 + 0.3 * torch.cos(2 * phase), 0.1 * torch.cos(14 * phase)
    for shape in ((1, 32, 1, 1), (1, 1, 32, 1), (1, 1, 1, 32)):
        waves = (slow + fast).reshape(shape).expand(1, 32, 32, 32)
        torch.testing.assert_close(
            without_high_frequencies(waves, kept=0.5), slow.reshape(shape).expand_as(waves), atol=1e-6, rtol=0
        )
    torch.testing.assert_close(without_high_frequencies(volumes, kept=1.0), volumes, atol=1e-6, rtol=0)
    masked = without_high_frequencies(volumes, kept=0.5)
    assert masked.min() >= 0 and masked.max() <= 1 and not torch.allclose(masked, volumes, atol=0.01)
