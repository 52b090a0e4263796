"""pix2pix (Isola et al., CVPR 2017) and CycleGAN (Zhu et al., ICCV 2017) with the U-Net of SCCDM as generator.

Discriminators judge overlapping patches; losses are least squares (Mao et al. 2017, CycleGAN's choice) for both, so
that the two differ in what they are given: pix2pix pairs and their absolute error, CycleGAN unpaired pictures and the
way there and back. A step moves generators and discriminators at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from monai_xray2mri.errors import UsageError
from monai_xray2mri.systems.foot_xray_sccdm.baselines.direct import DirectRadiograph
from monai_xray2mri.systems.foot_xray_sccdm.data.stream import PairStream
from monai_xray2mri.training.configurations import configuration_files
from monai_xray2mri.training.configured import read_configurations
from monai_xray2mri.training.handlers import fastest_precision
from monai_xray2mri.training.recipe.configured import checkpoint_step
from monai_xray2mri.training.recipe.stage import Progress, Turn
from monai_xray2mri.training.small_networks import Recipe, SmallTraining
from monai_xray2mri.training.weights import save_state

ABSOLUTE: Final = 100.0
"""Weight of pix2pix's absolute error, as published."""
CYCLE: Final = 10.0
"""Weight of CycleGAN's way there and back, as published; its identity loss, for colors, is left out."""
_BETAS: Final = (0.5, 0.999)
"""Of Adam, as both papers have them."""


class PatchDiscriminator(nn.Module):
    """Judges patches of a picture: near 1 true, near 0 made.

    Args:
        channels: of the folded picture, with its condition where it has one.
        width: of the first layer.
    """

    def __init__(self, channels: int, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1), nn.InstanceNorm2d(2 * width), nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 4, 1, 1),
        )  # fmt: skip

    def forward(self, picture: Tensor) -> Tensor:
        """[B,C,h,w] to a judgement of each patch."""
        judged: Tensor = self.layers(picture).float()
        return judged


class AdversarialNetworks(nn.Module):
    """Generators and discriminators of one run.

    Args:
        generator: photograph to radiograph; what is evaluated.
        kind: ``"pix2pix"`` or ``"cyclegan"``.
        back: radiograph to photograph, of CycleGAN.
    """

    def __init__(
        self, generator: DirectRadiograph, kind: Literal["pix2pix", "cyclegan"], back: DirectRadiograph | None = None
    ) -> None:
        super().__init__()
        self.kind, self.generator = kind, generator
        channels, _, _ = generator.latent_shape()
        self.judge = PatchDiscriminator(2 * channels if kind == "pix2pix" else channels)
        if kind == "cyclegan":
            self.back, self.back_judge = back, PatchDiscriminator(channels)

    def loss(self, photograph: Tensor, radiograph: Tensor) -> Tensor:
        """Of pictures [B,1,H,W] in [-1,1]; of CycleGAN the two are of different feet."""
        fold = self.generator.autoencoder.encode
        made = self.generator.estimate(photograph)
        if self.kind == "pix2pix":
            beside = fold(photograph)
            fooled, judged = _contest(
                self.judge, torch.cat((beside, fold(made)), 1), torch.cat((beside, fold(radiograph)), 1)
            )
            return fooled + judged + ABSOLUTE * (made - radiograph).abs().mean()
        assert self.back is not None  # of every CycleGAN
        made_back = self.back.estimate(radiograph)
        fooled, judged = _contest(self.judge, fold(made), fold(radiograph))
        fooled_back, judged_back = _contest(self.back_judge, fold(made_back), fold(photograph))
        there = (self.back.estimate(made) - photograph).abs().mean()
        and_back = (self.generator.estimate(made_back) - radiograph).abs().mean()
        return fooled + judged + fooled_back + judged_back + CYCLE * (there + and_back)


def _contest(judge: PatchDiscriminator, made: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """Losses of a generator, by which the judge does not move, and of the judge, by which the generator does not."""
    frozen = {name: value.detach() for name, value in judge.named_parameters()}
    fooled = (functional_call(judge, frozen, (made,)) - 1).square().mean()
    judged = (judge(made.detach()).square().mean() + (judge(true) - 1).square().mean()) / 2
    return fooled, judged


class _Run(SmallTraining[AdversarialNetworks, tuple[Tensor, Tensor]]):
    """A small training with the momentum that adversarial ones need."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        for group in self.optimizer.param_groups:
            group["betas"] = _BETAS


class AdversarialTraining:
    """A stage of a recipe that trains pix2pix or CycleGAN on the pairs of a bundle's configurations.

    It leaves ``model.pt``, the weights of the configured network.

    Args:
        kind: ``"pix2pix"`` or ``"cyclegan"``.
        folder: of weights, checkpoint and log.
        iterations: steps.
        bundle: folder of the bundle.
        configurations: behind ``train.json``, of the generator.
        options: entries of the configurations that are changed.
        learning_rate: of all networks.
        device: where to compute.
    """

    free: ClassVar[frozenset[str]] = frozenset({"device"})

    def __init__(
        self,
        kind: Literal["pix2pix", "cyclegan"],
        folder: str | Path,
        iterations: int,
        bundle: str | Path,
        configurations: Sequence[str] = (),
        options: Mapping[str, Any] | None = None,
        learning_rate: float = 5e-4,
        device: str = "cpu",
    ) -> None:
        if kind not in ("pix2pix", "cyclegan"):
            raise UsageError("kind of adversarial training", "must be pix2pix or cyclegan", kind)
        self.kind, self.folder, self.bundle = kind, Path(folder), Path(bundle)
        self.recipe = Recipe(iterations, learning_rate, averaging=0.999, interval=100)
        self.configurations, self.options, self.device = list(configurations), dict(options or {}), device

    @property
    def output(self) -> Path:
        """File of the weights."""
        return self.folder / "model.pt"

    def progress(self) -> Progress:
        """Steps, as the checkpoint says; the last one counts when the weights are written."""
        done = checkpoint_step(self.output.with_suffix(".checkpoint"))
        written = self.output.is_file()
        return Progress(self.recipe.iterations if written else min(done, self.recipe.iterations - 1),
                        self.recipe.iterations, "steps")  # fmt: skip

    def work(self, turn: Turn) -> None:
        """Train on from the checkpoint.

        Raises:
            Xray2MRIError: what the configuration's parts refuse.
        """
        files = configuration_files(self.bundle, self.configurations, self.bundle)
        device = torch.device(self.device)
        parser = read_configurations(files, {**self.options, "bundle_root": str(self.bundle)})
        stream: PairStream = parser.get_parsed_content("train#stream")
        make = partial(adversarial_networks, self.kind, partial(_generator, files, self.options), device)
        self.folder.mkdir(parents=True, exist_ok=True)

        def batch(step: int) -> tuple[Tensor, Tensor]:
            turn.tell()
            return unpaired(stream, step) if self.kind == "cyclegan" else paired(stream, step)

        settings = {"kind": self.kind, "betas": list(_BETAS), "batch_size": stream.batch_size}
        run = _Run(make, batch, partial(_loss, device), self.recipe, settings)
        if run.run(self.output, turn.minutes):
            save_state(run.average.generator, self.output, half=True)


def adversarial_networks(
    kind: Literal["pix2pix", "cyclegan"], generator: Callable[[], DirectRadiograph], device: torch.device
) -> AdversarialNetworks:
    """The networks of a run, on a device.

    Args:
        kind: of the run.
        generator: makes one.
        device: where to.
    """
    networks = AdversarialNetworks(generator(), kind, generator() if kind == "cyclegan" else None)
    return networks.to(device)


def _generator(files: Sequence[Path], options: Mapping[str, Any]) -> DirectRadiograph:
    network: DirectRadiograph = read_configurations(files, options).get_parsed_content("network_def")
    return network


def _loss(device: torch.device, networks: AdversarialNetworks, batch: tuple[Tensor, Tensor]) -> Tensor:
    precision = fastest_precision(device)
    with torch.autocast(device.type, precision or torch.bfloat16, enabled=precision is not None):
        return networks.loss(*(pictures.to(device) for pictures in batch))


def paired(stream: PairStream, step: int) -> tuple[Tensor, Tensor]:
    """Photographs and radiographs [B,1,S,S] in [-1,1] of the same feet."""
    batch = stream.batch(0, step)
    return batch["image"], batch["target"]


def unpaired(stream: PairStream, step: int) -> tuple[Tensor, Tensor]:
    """Photographs and radiographs of different feet."""
    return stream.batch(0, step)["image"], stream.batch(1, step)["target"]
