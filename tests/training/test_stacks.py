"""Training on stacks: one time, condition and process of noise for the slices of one volume, which hear each other."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from torch import Tensor

from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.data.stages import EncodeKnees, SimulateKnees
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.systems.knee_xray2mri.tiny_network import tiny_network
from monai_xray2mri.training.denoiser import ConditionalDenoising, WeightedSquaredError
from monai_xray2mri.training.order import Division
from monai_xray2mri.training.recipe import Turn
from monai_xray2mri.training.stacks import EvenStacks, StackDiffusion
from monai_xray2mri.training.weights import save_state, train_only, trained_parameters
from tests.helpers.cached_knees import BlobPatient
from tests.training.conftest import SMALL

N = 4


def network(blocks: Sequence[str] = ("down_1", "mid", "up_2"), noise_length_mm: float = 1.0) -> SliceDiffusion:
    torch.manual_seed(0)
    mixing = {"blocks": blocks, "rank": 8}
    return tiny_network((13, 32), mixing=mixing, noise_shared=0.0, noise_length_mm=noise_length_mm)


def blobs(stacks: int, seed: int) -> dict[str, Tensor]:
    """Stacks of blobs that move with the depth, each in its own way that no condition tells."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.rand(stacks, 1, generator=generator) * 0.8
    place = (first + torch.arange(N) * 1.5 / 28.5).flatten()
    start, slope = torch.rand(2, stacks, 4, generator=generator).sub(0.5).repeat_interleave(N, dim=1).unbind()  # [B,4]
    where = start * 1.2 + slope * torch.arange(N).repeat(stacks)[:, None] * 0.1
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 8), torch.linspace(-1, 1, 8), indexing="ij")
    latent = 3 * torch.exp(-4 * ((rows - where[..., None, None]) ** 2 + columns**2)) - 1
    return {
        "latent": latent,
        "image": torch.zeros(stacks, 1, 64, 64),
        "image_latent": torch.zeros(stacks, 4, 8, 8),
        "image_of": torch.arange(stacks).repeat_interleave(N),
        "place": place,
        "guide": torch.ones(stacks * N, 61),
    }


def prepare(made: SliceDiffusion, **options: object) -> StackDiffusion:
    return StackDiffusion(made, N, guide_groups=[31, 30], **options)


def test_a_stack_has_one_time_and_one_condition() -> None:
    made = network()
    noising = prepare(made, drop_condition=0.3, drop_guide=0.3, drop_group=0.3)
    _, _, _, given = noising(blobs(50, 0))
    assert given["stack"].tolist() == [number // N for number in range(50 * N)]
    for name in ("t", "keep", "guide"):
        stacks = given[name].unflatten(0, (-1, N))
        assert (stacks == stacks[:, :1]).all(), name
        assert len(stacks[:, 0].unique(dim=0)) > 1, name


def test_noise_is_that_of_the_network_and_of_the_division() -> None:
    """Of a step in two micro-batches each stack has the noise that it has in one."""
    made, batch = network(), blobs(4, 0)
    drawn = []
    for parts in (1, 2):
        noisy = []
        for part in range(parts):
            division = Division(4 * N, accumulate=parts)
            division.move_to(part)
            rows = slice(part * 4 // parts, (part + 1) * 4 // parts)
            items = slice(rows.start * N, rows.stop * N)
            mine = {name: value[rows if name.startswith("image") else items] for name, value in batch.items()}
            mine["image_of"] = torch.arange(4 // parts).repeat_interleave(N)
            noisy.append(prepare(made, division=division)(mine)[0])
        drawn.append(torch.cat(noisy))
    torch.testing.assert_close(drawn[1], drawn[0], atol=1e-5, rtol=0)
    with pytest.raises(UsageError, match=r"whole stacks of 4 slices.*6 together"):
        prepare(made, division=Division(12, accumulate=2))


def loss_of(made: SliceDiffusion, batch: dict[str, Tensor], *, mixed: bool = True, seed: int = 5) -> Tensor:
    torch.manual_seed(seed)
    noisy, targets, _, given = prepare(made, high_noise_share=0.5)(batch)
    if not mixed:
        del given["stack"]
    return WeightedSquaredError()(ConditionalDenoising(made)(noisy, **given), targets)


def learn(made: SliceDiffusion, steps: int, rate: float, *, mixed: bool) -> None:
    optimizer = torch.optim.Adam(trained_parameters(made.denoiser), lr=rate)
    for step in range(steps):
        loss = loss_of(made, blobs(8, 100 + step), mixed=mixed, seed=step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_mixing_alone_learns_from_neighbors_what_a_slice_does_not_show() -> None:
    """A network of slices first, then its mixing on stacks: the loss on other stacks falls, nothing else moves."""
    torch.manual_seed(0)
    made, unseen = network(blocks=("up_2", "up_3"), noise_length_mm=0.25), blobs(32, 1)
    learn(made, 40, 3e-3, mixed=False)
    with torch.no_grad():
        single = float(loss_of(made, unseen, mixed=False))
        assert float(loss_of(made, unseen)) == pytest.approx(single, rel=1e-6)  # it begins with zero
    before = {name: value.clone() for name, value in made.state_dict().items()}
    train_only(made, ["denoiser.mixing"])
    assert len(trained_parameters(made)) == 2 * 7
    losses = []
    for _ in range(2):
        learn(made, 20, 2e-2, mixed=True)
        with torch.no_grad():
            losses.append(float(loss_of(made, unseen)))
    assert losses[1] < losses[0] < single and losses[1] < 0.98 * single
    with torch.no_grad():
        assert float(loss_of(made, unseen, mixed=False)) == pytest.approx(single, rel=1e-6)
    for name, value in made.state_dict().items():
        assert torch.equal(value, before[name]) != (".mixing." in name), name


def test_only_modules_that_are_there_can_be_trained_alone() -> None:
    made = network()
    count = len(trained_parameters(made))
    assert len(trained_parameters(train_only(made, []))) == count
    with pytest.raises(UsageError, match=r"train_only.*found: denoiser\.mix\)"):
        train_only(made, ["denoiser.mix"])
    train_only(made, ["denoiser.mixing", "denoiser.guide"])
    trained = [name for name, value in made.named_parameters() if value.requires_grad]
    assert len(trained) < count
    assert {".".join(name.split(".")[:2]) for name in trained} == {"denoiser.mixing", "denoiser.guide"}


def test_validation_sees_the_same_stacks_spread_over_all_volumes() -> None:
    order = EvenStacks(100, 40, Division(8), volume=50, slices=4, step=2)
    batches = list(order)
    assert list(order) == batches and len(batches) == len(order) == 5
    stacks = torch.tensor(batches).unflatten(1, (-1, 4)).flatten(0, 1)  # [10,4]
    assert (stacks.diff(dim=1) == 2).all()
    assert (stacks // 50 == stacks[:, :1] // 50).all() and set((stacks[:, 0] // 50).tolist()) == {0, 1}
    assert stacks.min() == 0 and stacks.max() == 99
    with pytest.raises(UsageError, match="must fit into a volume of 5 slices"):
        EvenStacks(10, 8, Division(8), volume=5, slices=4, step=2)
    with pytest.raises(UsageError, match="whole stacks of 3"):
        EvenStacks(100, 40, Division(8), volume=50, slices=3)


def test_a_stage_trains_the_mixing_of_weights_that_have_none(
    run_stage: Callable[..., ConfigWorkflow],
    bundle: Path,
    validation_knees: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monai_xray2mri.knee.data.cache.Patient", BlobPatient)
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    parser.update(SMALL)
    start = parser.get_parsed_content("network_def")
    output, knees, small = tmp_path / "run", tmp_path / "knees", tmp_path / "small.json"
    output.mkdir()
    save_state(start, tmp_path / "start.pt")
    save_state(start.autoencoder, output / "autoencoder.pt")
    small.write_text(json.dumps(SMALL))
    stacks = {"slices": N, "stack": N, "shard": 2}
    SimulateKnees(knees, 2, **stacks).work(Turn())
    EncodeKnees(knees, 2, bundle, output / "autoencoder.pt", [str(small)], views=2, options=stacks).work(Turn())
    run_stage(
        ["train", "validate", "train_cache", "train_depth_mixing"],
        knees,
        output,
        initial_weights=str(tmp_path / "start.pt"),
        train_only=["denoiser.mixing"],
        cache_dir=str(knees),
        cached_knees=2,
        cached_shard=2,
        cached_slices=N,
        stack_slices=N,
        film_views=2,
        batch_size=2 * N,
        validation_dir=str(validation_knees),
        **{"iterations": 2, "epoch_length": 2, "save_interval": 2, "val_interval": 2, "val_slices": 2 * N},
    )
    trained, before = torch.load(output / "model.pt", weights_only=True), start.state_dict()
    new = {name for name in trained if name not in before}
    assert all(name.startswith("denoiser.mixing.blocks.") for name in new) and len(new) == 3 * 7
    assert all(trained[name].any() for name in new if name.endswith("leave.weight"))
    for name, value in before.items():
        assert torch.equal(trained[name], value.half() if value.is_floating_point() else value), name
    assert json.loads((output / "model_best.json").read_text())["validation_loss"] > 0
