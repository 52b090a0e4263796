"""Published weights into our network: Zero-123 and the image-conditioned Stable Diffusion that it started from.

Two layouts of the CompVis code are known. *zero123*: the U-Net has 8 input channels, and ``cc_projection`` maps CLIP's
embedding and the camera's pose to the context. *image-conditioned* (Lambda's ``sd-image-conditioned-v2``): 4 input
channels and no such projection; as Zero-123 itself did, the channels of the image's latent start at zero and the
projection as the identity. Nothing is guessed: what is missing, left over or of another shape is listed and refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.errors import UsageError, WeightsError
from monai_xray2mri.networks.published.archive import StoredTensor, open_checkpoint, refusing_damage
from monai_xray2mri.networks.published.keys import AUTOENCODER, CLIP, EMA, PROJECTION, UNET, average_key, source_of
from monai_xray2mri.networks.published.writer import PlannedTensor

Layout = Literal["zero123", "image-conditioned"]

PUBLISHED_LATENT_SCALE = 0.18215
"""Factor of the latents that Stable Diffusion and Zero-123 were trained with; their checkpoints do not hold it."""

PUBLISHED_STEPS = 1000
"""T of Stable Diffusion and Zero-123."""

_BETAS = (0.00085, 0.012)  # first and last beta of their schedule
_FIRST = f"{UNET}input_blocks.0.0.weight"
_LISTED = 12  # keys of each kind that a refusal names


@dataclass(frozen=True)
class ImportPlan:
    """What is taken from a checkpoint.

    Attributes:
        layout: the checkpoint's layout.
        ema: the U-Net is its moving average.
        state: our whole state dict; what is imported is still in the file.
        imported: names of the tensors that the checkpoint gives.
        own: names of the tensors that it cannot give: added conditioning, latent scale, null context; in the layout
            image-conditioned also the projection.
    """

    layout: Layout
    ema: bool
    state: Mapping[str, PlannedTensor]
    imported: tuple[str, ...]
    own: tuple[str, ...]


def plan_import(source: Path, network: nn.Module, *, ema: bool = True, half: bool = False) -> ImportPlan:
    """Match a checkpoint with a network, reading its keys and shapes only.

    Args:
        source: the checkpoint.
        network: latent diffusion of the paper's topology, with a ``radiograph_encoder``. U-Net, autoencoder and CLIP
            lie on the meta device; what no checkpoint has holds its values.
        ema: take the U-Net's moving average.
        half: store what is imported in half precision.

    Raises:
        UsageError: there is no such file, or the network has another topology.
        WeightsError: another format, layout or noise schedule, or tensors that are missing, left over or of another
            shape.
    """
    stored = open_checkpoint(source)
    matching = _Matching(source, stored, _layout(source, stored, ema), ema)
    dtype = torch.float16 if half else torch.float32
    tensors = network.state_dict()
    made = {name: matching.maker(name, tuple(tensor.shape)) for name, tensor in tensors.items() if tensor.is_meta}
    matching.refuse_differences()
    _refuse_other_schedule(source, stored)
    own = {name: tensor for name, tensor in tensors.items() if not tensor.is_meta}
    state = {name: PlannedTensor(tuple(tensors[name].shape), dtype, make) for name, make in made.items()}
    state |= {name: PlannedTensor(tuple(tensor.shape), torch.float32, tensor.clone) for name, tensor in own.items()}
    imported = tuple(name for name in made if name not in matching.started)
    return ImportPlan(matching.layout, ema, state, imported, (*own, *matching.started))


@dataclass
class _Matching:
    """The comparison of a network with a checkpoint, and what came out of it."""

    source: Path
    stored: Mapping[str, StoredTensor]
    layout: Layout
    ema: bool
    taken: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    misshapen: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)

    def maker(self, name: str, shape: tuple[int, ...]) -> Callable[[], Tensor]:
        """How a tensor of the network is made."""
        found = source_of(name, self.ema)
        if found is None:
            remedy = "Import into a configuration of the paper size, such as configs/paper.json."
            raise UsageError(f"tensor {name}", "must exist in published checkpoints", "it does not", remedy)
        if self.layout == "image-conditioned" and found.key.startswith(PROJECTION):
            self.started.append(name)
            return lambda: torch.eye(*shape) if len(shape) == 2 else torch.zeros(shape)
        if found.key not in self.stored:
            self.missing.append(found.key)
            return lambda: torch.empty(shape)
        stored, convert = self.stored[found.key], found.convert
        if self.layout == "image-conditioned" and name == "denoiser.unet.conv_in.weight":
            convert = _widen
        self.taken.add(found.key)
        if _shape_after(convert, stored.shape) != shape:
            self.misshapen.append(f"{found.key} {list(stored.shape)} for {name} {list(shape)}")

        def make() -> Tensor:
            with refusing_damage(self.source):
                return convert(stored.read())

        return make

    def refuse_differences(self) -> None:
        """Raise a WeightsError that lists what does not fit."""
        extra = [key for key in self.stored if key not in self.taken and _is_wanted(key, self.ema)]
        missing = list(dict.fromkeys(self.missing))  # queries, keys and values of CLIP share a tensor
        kinds = {"missing": missing, "of another shape": self.misshapen, "left over": extra}
        found = "; ".join(f"{len(keys)} {kind}: {_list(keys)}" for kind, keys in kinds.items() if keys)
        if found:
            rule = f"must hold exactly the tensors of the layout {self.layout}"
            raise WeightsError(f"checkpoint {self.source.name}", rule, found, "Check which model the file is of.")


def _layout(source: Path, stored: Mapping[str, StoredTensor], ema: bool) -> Layout:
    what = f"checkpoint {source.name}"
    first = average_key(_FIRST) if ema else _FIRST
    if first not in stored:
        if ema and _FIRST in stored:
            remedy = "Take the last weights with --no-ema."
            raise WeightsError(what, "must hold the moving average of the weights", f"no {EMA}* in it", remedy)
        rule, remedy = "must be of Zero-123 or an image-conditioned Stable Diffusion (CompVis keys)", "Check the file."
        raise WeightsError(what, rule, f"no {first}; its first key is {next(iter(stored))}", remedy)
    projected = f"{PROJECTION}weight" in stored
    shape = stored[first].shape
    channels = shape[1] if len(shape) == 4 else 0
    if (channels, projected) == (8, True):
        return "zero123"
    if (channels, projected) == (4, False):
        return "image-conditioned"
    raise WeightsError(
        what,
        f"must take 8 channels and hold {PROJECTION}weight, or take 4 and hold none",
        f"{channels} channels, {'a' if projected else 'no'} {PROJECTION}weight",
        "Check which model the file is of.",
    )


def _refuse_other_schedule(source: Path, stored: Mapping[str, StoredTensor]) -> None:
    if "betas" not in stored:
        return
    with refusing_damage(source):
        betas = stored["betas"].read().double().flatten()
    expected = torch.tensor(_BETAS, dtype=torch.float64)
    if len(betas) != PUBLISHED_STEPS or not torch.allclose(betas[[0, -1]], expected, rtol=1e-3):
        raise WeightsError(
            f"checkpoint {source.name}",
            f"must have {PUBLISHED_STEPS} steps of noise with beta from {_BETAS[0]} to {_BETAS[1]}",
            f"{len(betas)} steps" + (f" from {betas[0]:.3g} to {betas[-1]:.3g}" if len(betas) else ""),
            "Check which model the file is of.",
        )


def _is_wanted(key: str, ema: bool) -> bool:
    """Whether a key belongs to what is imported; the other U-Net, text leftovers, losses and buffers do not."""
    if key.startswith(EMA):
        return ema and key not in (f"{EMA}decay", f"{EMA}num_updates")
    if key.startswith(UNET):
        return not ema
    if key.startswith("cond_stage_model."):
        return key.startswith(CLIP)
    if key.startswith(f"{AUTOENCODER}loss."):
        return False
    return "." in key  # buffers of the whole model (betas, logvar) have no dot


def _widen(weight: Tensor) -> Tensor:
    """The first convolution [O,4,3,3] with four more input channels of zeros, for the image's latent."""
    return F.pad(weight, (0, 0, 0, 0, 0, 4))


def _shape_after(convert: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> tuple[int, ...] | None:
    try:
        return tuple(convert(torch.empty(shape, device="meta")).shape)
    except (RuntimeError, IndexError):  # the stored tensor has too few dimensions for the conversion
        return None


def _list(keys: list[str]) -> str:
    rest = len(keys) - _LISTED
    return ", ".join(keys[:_LISTED]) + (f" and {rest} more" if rest > 0 else "")
