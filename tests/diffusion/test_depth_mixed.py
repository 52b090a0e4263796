"""Volumes whose slices hear each other while they are drawn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from monai_xray2mri.diffusion import depth_mixed
from monai_xray2mri.diffusion.depth_mixed import DepthMixedDiffusion
from monai_xray2mri.diffusion.samplers import consistency, dpm_solver
from monai_xray2mri.networks.depth_mixing import DepthMixing
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.systems.knee_xray2mri.tiny_network import tiny_network

MIXING = {"blocks": ["down_1", "mid", "up_2"], "rank": 4}
SLICES = 24
CLOSE = {"atol": 1e-4, "rtol": 0}
"""Rounding of sums: a fifth of a stored unit (2 / 4095), which the guidance of random weights enlarges."""
NOISE = {"noise_shared": 0.2, "noise_length_mm": 1.5, "noise_aspect": 0.1}


def network(loud: bool = True, slices: int = SLICES, **options: object) -> SliceDiffusion:
    torch.manual_seed(0)
    made = tiny_network((13, 12 + slices), mixing=MIXING, **NOISE, **options)
    if loud:
        with torch.no_grad():
            for parameter in made.denoiser.mixing.parameters():
                parameter.add_(0.5 * torch.randn_like(parameter))
    return made


@pytest.fixture(scope="module")
def mixed() -> SliceDiffusion:
    return network()


@pytest.fixture(scope="module")
def film() -> Tensor:
    return torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(3)) * 2 - 1


def draw(made: SliceDiffusion, film: Tensor, **sampling: object) -> Tensor:
    settings = made.settings.altered(**sampling.pop("altered", {}))
    noise = made.draw_noise(torch.Generator().manual_seed(1), settings)
    return made.generate(film, noise=noise, settings=settings, **sampling)[0, 0]


@pytest.mark.parametrize(
    ("altered", "chunks"),
    [
        ({"steps": 2}, (1, 7, 23)),
        ({"steps": 2, "eta": 1.0, "guidance": 2.0, "feature_guidance": 3.0}, (5, 8)),
    ],
    ids=["plain", "guided"],
)
def test_the_chunk_does_not_change_the_result(
    mixed: SliceDiffusion, film: Tensor, altered: dict[str, float], chunks: tuple[int, ...]
) -> None:
    whole = draw(mixed, film, altered=altered, chunk=100)
    for chunk in chunks:
        torch.testing.assert_close(draw(mixed, film, altered=altered, chunk=chunk), whole, **CLOSE)
    assert (draw(network(loud=False), film, altered=altered) - whole).abs().max() > 0.01


@pytest.mark.parametrize("sampler", [consistency, dpm_solver])
def test_any_sampler_draws_a_volume(mixed: SliceDiffusion, film: Tensor, sampler: object) -> None:
    whole, parts = (draw(mixed, film, altered={"steps": 2}, sampler=sampler, chunk=chunk) for chunk in (100, 7))
    torch.testing.assert_close(parts, whole, **CLOSE)


def test_a_chunk_overlaps_by_all_that_it_hears_and_no_more(
    mixed: SliceDiffusion, film: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three blocks of two slices to each side, in every step; with less the result would be another."""
    near = mixed.neighbors(mixed.depths())
    assert near is not None
    chunks = mixed.chunks(near, 8)
    assert [part.evaluated[[0, -1]].tolist() for part in chunks] == [[0, 13], [2, 21], [10, 23]]
    assert [part.evaluated[part.kept].tolist() for part in chunks] == [list(range(n, n + 8)) for n in (0, 8, 16)]
    whole = draw(mixed, film, altered={"steps": 3}, chunk=100)
    heard = DepthMixing.heard

    def less(self: DepthMixing, neighbors: Tensor, rows: Tensor) -> Tensor:
        found = heard(self, neighbors, rows)
        outermost = found.nonzero()[-1]
        found[outermost] = rows[outermost]
        return found

    monkeypatch.setattr(depth_mixed.DepthMixing, "heard", less)
    assert (draw(mixed, film, altered={"steps": 3}, chunk=8) - whole).abs().max() > 10 * CLOSE["atol"]


@pytest.mark.parametrize("slices", [2, 3, 50, 500])
def test_any_number_of_slices(mixed: SliceDiffusion, film: Tensor, slices: int) -> None:
    drawn = draw(mixed, film, altered={"steps": 1}, slices=slices, chunk=64)
    assert drawn.shape == (slices, 64, 64) and drawn.isfinite().all()
    parts = draw(mixed, film, altered={"steps": 1}, slices=slices, chunk=41)
    torch.testing.assert_close(parts, drawn, **CLOSE)


def test_slices_farther_apart_than_the_reach_are_drawn_on_their_own(mixed: SliceDiffusion, film: Tensor) -> None:
    plain = tiny_network((13, 12 + SLICES), **NOISE)
    plain.load_state_dict({name: value for name, value in mixed.state_dict().items() if ".mixing." not in name})
    ends = draw(plain, film, slices=2)
    bias = {name: value for name, value in mixed.named_parameters() if name.endswith("leave.bias")}
    with torch.no_grad():
        kept = [value.clone() for value in bias.values()]
        for value in bias.values():
            value.zero_()
        found = draw(mixed, film, slices=2)
        for value, before in zip(bias.values(), kept, strict=True):
            value.copy_(before)
    torch.testing.assert_close(found, ends, **CLOSE)


@pytest.mark.parametrize("altered", [{}, {"eta": 0.5, "guidance": 2.0}])
def test_mixing_that_is_zero_draws_the_same_bits(film: Tensor, altered: dict[str, float]) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        silent = network(loud=False)
        plain = tiny_network((13, 12 + SLICES), **NOISE)
        plain.load_state_dict({name: value for name, value in silent.state_dict().items() if ".mixing." not in name})
        assert torch.equal(
            draw(silent, film, altered=altered, chunk=100), draw(plain, film, altered=altered, chunk=100)
        )
    finally:
        torch.set_num_threads(before)


def test_threads_share_the_chunks(mixed: SliceDiffusion, film: Tensor) -> None:
    before, drawn, done = torch.get_num_threads(), [], []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            drawn.append(draw(mixed, film, chunk=25, callback=done.append))
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(drawn[1], drawn[0], **CLOSE)
    assert sum(done) == 2 * SLICES


def test_some_slices_are_those_of_the_volume(mixed: SliceDiffusion, film: Tensor) -> None:
    whole, done = draw(mixed, film), []
    some = draw(mixed, film, depths=torch.tensor([11, 3]) / (SLICES - 1), callback=done.append)
    torch.testing.assert_close(some, whole[[11, 3]], **CLOSE)
    assert done == [2]
    between = draw(mixed, film, depths=torch.tensor([3.5 / (SLICES - 1)]))
    assert between.shape == (1, 64, 64)


def test_without_mixing_there_are_no_neighbors() -> None:
    plain = tiny_network()
    assert isinstance(plain, DepthMixedDiffusion)
    assert plain.mixing is None and plain.neighbors(plain.depths()) is None
