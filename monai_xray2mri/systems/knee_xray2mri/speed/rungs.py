"""The ways of drawing a volume that the ladder compares, and how far the picture of each may differ from R0's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from torch import Tensor

from monai_xray2mri.diffusion.samplers import consistency, dpm_solver
from monai_xray2mri.systems.knee_xray2mri.speed.compiled import compiled_loop
from monai_xray2mri.systems.knee_xray2mri.speed.loops import (
    Task,
    authors_loop,
    batched_loop,
    diffusers_loop,
    monai_loop,
    own_loop,
)

FEW_STEPS: Final = 4
DECODED_BEFORE: Final = 5
"""Images that the package decoded at a time before it had twins for inference."""

Draw = Callable[[Task], Tensor]


@dataclass(frozen=True)
class Tolerance:
    """How far a picture may differ from R0's and still count as equal to it, or as no worse.

    Attributes:
        units: largest difference of a voxel in stored units (1/4095 of the range); None: not asked.
        psnr: least PSNR against R0's picture in dB; None: not asked.
        loss_db: largest loss of PSNR against the truth, R0's less its own, in dB; None: not asked.
        loss_ssim: the same of SSIM; None: not asked.
    """

    units: float | None = None
    psnr: float | None = None
    loss_db: float | None = None
    loss_ssim: float | None = None

    def __str__(self) -> str:
        asked = {
            "at most {:g} stored unit a voxel": self.units,
            "at least {:g} dB": self.psnr,
            "loses at most {:g} dB": self.loss_db,
            "{:g} SSIM": self.loss_ssim,
        }
        return ", ".join(words.format(value) for words, value in asked.items() if value is not None)


EQUAL: Final = Tolerance(units=1)
"""Sums in another order."""
HALF: Final = Tolerance(psnr=40)
"""Networks compute in 16 bits."""
FEWER: Final = Tolerance(psnr=25, loss_db=0.5)
"""Fewer steps draw less detail, and no other knee."""
TRAINED: Final = Tolerance(loss_db=0.1, loss_ssim=0.005)
"""Other weights, within the rule of docs/training/few_steps.md."""


@dataclass(frozen=True)
class Rung:
    """One way of drawing a volume.

    Attributes:
        title: in words.
        draw: the way.
        tolerance: of its picture.
        half: networks compute in 16 bits.
        steps: of the sampler; None: the network's own.
        network: the network as this way takes it: ``"authors"``, ``"plain"`` or ``"twin"``.
        conditions: how often the radiograph is encoded: for each ``"slice"``, ``"chunk"`` or ``"volume"``.
        fast: with the weights that the bundle has for few steps, in their steps.
        small: with the bundle's small decoder.
        compiles: the rung that it is compiled from: its first volume compiles, so that it pays after some volumes at
            the earliest; None: it is not compiled.
        only_cuda: needs a GPU of NVIDIA's.
    """

    title: str
    draw: Draw
    tolerance: Tolerance = EQUAL
    half: bool = False
    steps: int | None = None
    network: str = "plain"
    conditions: str = "volume"
    fast: bool = False
    small: bool = False
    compiles: str | None = None
    only_cuda: bool = False


_before: Final = partial(batched_loop, together=DECODED_BEFORE)
_fast: Final = partial(own_loop, sampler=consistency)
_graphs: Final = partial(compiled_loop, mode="reduce-overhead")

RUNGS: Final[Mapping[str, Rung]] = {
    "R0": Rung("the authors' loop", authors_loop, network="authors", conditions="slice"),
    "R1": Rung("R0 in half precision", authors_loop, HALF, half=True, network="authors", conditions="slice"),
    "R2": Rung("slices batched", batched_loop, network="authors", conditions="chunk"),
    "R2-half": Rung("R2 in half precision", batched_loop, HALF, half=True, network="authors", conditions="chunk"),
    "before": Rung("attention fused, channels last", _before, conditions="chunk"),
    "before-half": Rung("the same in half precision", _before, HALF, half=True, conditions="chunk"),
    "R3": Rung("the package", own_loop, network="twin"),
    "R3-half": Rung("R3 in half precision", own_loop, HALF, half=True, network="twin"),
    "R3-compiled": Rung("R3 compiled", compiled_loop, network="twin", compiles="R3"),
    "R3-graphs": Rung(
        "R3-half as CUDA graphs", _graphs, HALF, half=True, network="twin", compiles="R3-half", only_cuda=True
    ),
    "R4-ddim": Rung(f"R3, {FEW_STEPS} steps of DDIM", own_loop, FEWER, steps=FEW_STEPS, network="twin"),
    "R4-dpm": Rung(
        f"R3, {FEW_STEPS} steps of DPM-Solver++", partial(own_loop, sampler=dpm_solver), FEWER, steps=FEW_STEPS,
        network="twin",
    ),
    "R4-unipc": Rung(
        f"diffusers' UniPC, {FEW_STEPS} steps", partial(diffusers_loop, scheduler="UniPCMultistepScheduler"), FEWER,
        steps=FEW_STEPS,
    ),
    "R4-half": Rung(
        "R4-dpm in half precision", partial(own_loop, sampler=dpm_solver), FEWER, half=True, steps=FEW_STEPS,
        network="twin",
    ),
    "R4-graphs": Rung(
        "R4-half as CUDA graphs", partial(_graphs, sampler=dpm_solver), FEWER, half=True, steps=FEW_STEPS,
        network="twin", compiles="R4-half", only_cuda=True,
    ),
    "R5-small": Rung("R3 with the small decoder", own_loop, TRAINED, small=True, network="twin"),
    "R5-few": Rung("R3 with weights for few steps", _fast, TRAINED, fast=True, network="twin"),
    "R5": Rung("both", _fast, TRAINED, fast=True, small=True, network="twin"),
    "R5-half": Rung("both in half precision", _fast, TRAINED, fast=True, small=True, half=True, network="twin"),
    "diffusers": Rung("pipeline loop of diffusers", diffusers_loop),
    "monai": Rung("MONAI's LatentDiffusionInferer", monai_loop),
}  # fmt: skip
"""By name."""
