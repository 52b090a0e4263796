"""Training by the bundle's own configurations: sizes, both recipes, and entering what they leave as methods."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode, UsageError
from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.systems.foot_xray_sccdm.baselines.adversarial import AdversarialNetworks, AdversarialTraining
from monai_xray2mri.systems.foot_xray_sccdm.baselines.direct import DirectRadiograph
from monai_xray2mri.systems.foot_xray_sccdm.baselines.given import GivenPhotograph
from monai_xray2mri.systems.foot_xray_sccdm.baselines.scale_conditioned import ScaleConditionedUNet
from monai_xray2mri.systems.foot_xray_sccdm.data import making
from monai_xray2mri.systems.foot_xray_sccdm.data.pairs import read_pairs
from monai_xray2mri.systems.foot_xray_sccdm.data.stream import PairStream, Variation, latent_rms
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.methods import NetworkMethod, method_of
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.variants import RUNS
from monai_xray2mri.training.configurations import configuration_files
from monai_xray2mri.training.configured import read_configurations
from monai_xray2mri.training.recipe import Turn
from tests.systems.foot_xray_sccdm.test_network import SIZE, pairs
from tests.systems.foot_xray_sccdm.test_network import network as small_network

SMALL: dict[str, Any] = {
    "network_def#image_size": SIZE,
    "diffusion_def#width": 8,
    "diffusion_def#multipliers": [1, 2],
    "diffusion_def#attention_levels": [1],
    "diffusion_def#groups": 4,
    "batch_size": 2,
    "epoch_length": 2,
    "log_interval": 1,
    "save_interval": 2,
    "warm_up": 1,
    "precision": None,
}


@pytest.fixture(scope="module")
def folder(repository: Path) -> Path:
    return repository / "bundle" / "foot_xray_sccdm"


def network_of(folder: Path, *names: str) -> Any:
    parser = read_configurations(configuration_files(folder, names, folder), {})
    with torch.device("meta"):
        return parser.get_parsed_content("network_def")


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_sizes_are_the_stated_ones(folder: Path) -> None:
    compact, paper = network_of(folder), network_of(folder, "paper", "train_paper")
    assert parameters(compact) == 2_274_196
    assert parameters(paper) == 37_539_809
    assert parameters(network_of(folder, "train_without_scales")) == 1_310_960
    assert parameters(network_of(folder, "train_without_scales_wider")) == pytest.approx(2_274_196, rel=0.02)
    for network, gflop in ((compact, 2.813), (paper, 479.0)):
        with FlopCounterMode(display=False) as counter, torch.device("meta"):
            channels, side, _ = network.latent_shape()
            latent = torch.zeros(1, channels, side, side)
            network.denoiser(latent, latent, torch.zeros(1, dtype=torch.long))
        assert counter.get_total_flops() == pytest.approx(gflop * 1e9, rel=2e-3)


def test_the_papers_training_is_as_published(folder: Path) -> None:
    parser = read_configurations(configuration_files(folder, ("paper", "train_paper"), folder), {})
    assert parser["learning_rate"] == 1e-5 and parser["batch_size"] == 2 and parser["largest_gradient"] == 1.0
    assert parser["weight_decay"] == 0 and parser["ema_decay"] == 0 and parser["rate_rule"] == "constant"
    assert parser["iterations"] == 2000 * 115 / 2
    codec = parser.get_parsed_content("autoencoder_def")
    latent = parser["network_def"]["latent_scale"] * codec.encode(torch.full((1, 1, 8, 8), 0.75))
    assert latent.unique().tolist() == [1.5]  # the difference itself, not half of it
    with torch.device("meta"):
        network = parser.get_parsed_content("network_def")
    assert network.settings.steps == 1000 and network.settings.eta == 1 and network.refinement.variant == "paper"


def write_feet(directory: Path, seeds: Sequence[int], settings: Any) -> int:
    """Small pairs in the place of simulated ones."""
    stored = pairs(1)
    for seed in seeds:
        place = directory / f"{seed:07d}"
        place.mkdir(parents=True)
        Image.fromarray(stored.photographs[0]).save(place / "original.png")
        Image.fromarray(stored.radiographs[0]).save(place / "xray.png")
        (place / "truth.json").write_text("{}")
    return len(seeds)


@pytest.fixture
def small_recipe(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A recipe of the bundle with few pairs, steps and channels."""
    monkeypatch.setattr(making, "simulate_feet", write_feet)
    (tmp_path / "small.json").write_text(json.dumps(SMALL))

    def make(name: str) -> Path:
        content = json.loads((folder / "configs" / f"{name}.json").read_text())
        content |= {"nice": None} | ({"updates": 2} if "updates" in content else {})
        for stage in content["stages"]:
            if "training" in stage:
                stage |= {"training": 10, "validation": 4}
            else:
                at = 1 if stage["configurations"] == ["validate"] else len(stage["configurations"])
                stage["configurations"].insert(at, str(tmp_path / "small.json"))
            if isinstance(stage.get("iterations"), int):
                stage["iterations"] = 2
            if stage.get("options", {}).get("training_pairs"):
                stage["options"]["training_pairs"] = 3
            if "validate" in stage.get("configurations", ()):
                stage["options"] |= {"val_interval": 2, "picture_interval": 2, "val_steps": 2, "val_batches": 1}
        path: Path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(content))
        return path

    return make


def test_the_recipe_simulates_and_trains(folder: Path, small_recipe: Any, tmp_path: Path) -> None:
    state = tmp_path / "state"
    arguments = ["train", "--bundle", str(folder), "--recipe", str(small_recipe("recipe")), "--output", str(state)]
    assert main([*arguments, "--device", "cpu", "--quiet"]) == ExitCode.DONE
    assert len(list((state / "pairs" / "training").glob("*/xray.png"))) == 10
    with Image.open(state / "denoiser" / "pictures" / "00000002.png") as sheet:
        assert sheet.size == (4 * SIZE, 4 * SIZE)  # photograph, truth, two samples, of four feet
    weights = torch.load(state / "denoiser" / "model_best.pt", weights_only=True)
    stored = read_pairs(state / "pairs" / "training", SIZE)
    rms = latent_rms(small_network(), PairStream(stored, 2, 2, variation=Variation()))
    assert float(weights["latent_scale"]) == pytest.approx(1 / rms, rel=1e-3)  # targets get the variance 1
    assert main([*arguments, "--device", "cpu", "--quiet"]) == ExitCode.DONE  # nothing is left to do


def test_every_variant_is_trained_and_entered(folder: Path, small_recipe: Any, tmp_path: Path) -> None:
    state = tmp_path / "variants"
    arguments = ["train", "--bundle", str(folder), "--recipe", str(small_recipe("recipe_variants"))]
    assert main([*arguments, "--output", str(state), "--device", "cpu", "--quiet"]) == ExitCode.DONE
    given = GivenPhotograph("1", pairs(1).photographs[0].astype(np.float32) / 255)
    for name, (run, configurations) in RUNS.items():
        chosen = ",".join(filter(None, (configurations, str(tmp_path / "small.json"))))
        method = method_of(f"{state / run / 'model.pt'}:{chosen}", folder, "cpu")
        assert isinstance(method, NetworkMethod)
        drawn = method.with_options(steps=2) if method.stochastic else method
        found = generate(drawn, given, 2, 0)
        assert len(found) == (2 if method.stochastic else 1), name
        assert method.settings()["configurations"][-1].endswith("small.json")


def direct_network(difference: bool = False) -> DirectRadiograph:
    from monai_xray2mri.diffusion.schedule import NoiseSchedule
    from monai_xray2mri.networks.pixel_codec import PixelCodec
    from monai_xray2mri.systems.foot_xray_sccdm.multiscale_unet import MultiScaleUNet

    torch.manual_seed(0)
    unet = MultiScaleUNet(16, 16, width=8, multipliers=(1, 2), blocks=1, attention_levels=(1,), groups=4, dropout=0.0)
    torch.nn.init.normal_(unet.tail[2].weight, std=0.02)
    codec = PixelCodec(4, 0.0 if difference else -1.0)
    return DirectRadiograph(codec, unet, NoiseSchedule(), image_size=SIZE, difference=difference)


@pytest.mark.parametrize("kind", ["pix2pix", "cyclegan"])
def test_each_player_moves_by_its_own_loss(kind: Any) -> None:
    networks = AdversarialNetworks(direct_network(), kind, direct_network() if kind == "cyclegan" else None)
    photograph, radiograph = torch.rand(2, 2, 1, SIZE, SIZE) * 2 - 1
    networks.loss(photograph, radiograph).backward()
    moved = {name.split(".")[0] for name, value in networks.named_parameters() if value.grad is not None}
    assert moved == {"pix2pix": {"generator", "judge"}, "cyclegan": {"generator", "judge", "back", "back_judge"}}[kind]
    judge = networks.judge.layers[0].weight.grad.clone()
    networks.zero_grad()
    made = networks.generator.estimate(photograph).detach()
    fold = networks.generator.autoencoder.encode
    shown = [fold(made), fold(radiograph)]
    if kind == "pix2pix":
        shown = [torch.cat((fold(photograph), each), 1) for each in shown]
    false, true = (networks.judge(each) for each in shown)
    ((false.square().mean() + (true - 1).square().mean()) / 2).backward()
    torch.testing.assert_close(networks.judge.layers[0].weight.grad, judge)  # the generator's loss does not move it


def test_another_kind_of_adversarial_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pix2pix or cyclegan"):
        AdversarialTraining("stylegan", tmp_path, 1, tmp_path)  # type: ignore[arg-type]


def test_the_scale_conditioned_network_sees_its_condition_at_every_level() -> None:
    torch.manual_seed(0)
    unet = ScaleConditionedUNet(2, 3, width=8, multipliers=(1, 2), blocks=1, attention_levels=(1,), groups=4)
    torch.nn.init.normal_(unet.tail[2].weight, std=0.1)
    d_t, condition, t = torch.randn(1, 2, 16, 16), torch.randn(1, 3, 16, 16), torch.tensor([5])
    usual = unet(d_t, condition, t).prediction
    assert usual.shape == d_t.shape
    for meeting in unet.meetings:
        kept = meeting.join.weight.data.clone()
        meeting.join.weight.data.zero_()
        assert not torch.allclose(unet(d_t, condition, t).prediction, usual)
        meeting.join.weight.data = kept


def test_a_masked_condition_hides_a_square_of_the_photograph_alone() -> None:
    still = {"turn_deg": 0.0, "scale": 0.0, "shift": 0.0, "gamma": 0.0, "gain": 0.0}
    stored = pairs(1)
    stored.photographs[:] = 200
    usual = PairStream(stored, 1, 4, difference=False, variation=Variation(**still)).batch(0, 0)
    hidden = PairStream(stored, 1, 4, difference=False, variation=Variation(**still, hidden=1.0)).batch(0, 0)
    torch.testing.assert_close(hidden["target"], usual["target"])
    assert torch.equal((hidden["image"] == -1).sum(dim=(1, 2, 3)), torch.full((4,), (SIZE // 2) ** 2))


def test_a_stage_of_pairs_goes_on_where_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    monkeypatch.setattr(making, "simulate_feet", lambda *call: made.extend(call[1]) or write_feet(*call))
    stage = making.SimulatedPairs(tmp_path, training=3, validation=2)
    write_feet(tmp_path / "training", [1], None)
    assert str(stage.progress()) == "1 of 5 pairs"
    told: list[int] = []
    stage.work(Turn(end=0.0, heard=told.append))
    assert not made  # the time is over
    stage.work(Turn(heard=told.append))
    assert made == [0, 2, 1_000_000, 1_000_001] and sum(told) == 4 and stage.progress().complete
