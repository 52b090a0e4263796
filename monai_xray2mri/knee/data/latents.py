"""Latents of a stored training set: encoded once by the frozen autoencoder (Wang 2024a, Algorithm 1)."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.knee.data.arrays import KneeStore
from monai_xray2mri.knee.data.slices import StoredSlices
from monai_xray2mri.runtime.devices import computes_bfloat16
from monai_xray2mri.training.store import ArraySpec

LOW_PRECISION_ERROR: Final = 0.02
"""Largest error that encoding in bfloat16 may make: RMS, as a share of the latents' standard deviation.

With the shipped autoencoder it is 0.0055: after decoding 0.001 of the grey range [-1,1], where the autoencoder's own
error is 0.06.
"""
CPU_BATCH: Final = 5
"""Slices encoded together on a CPU: few enough for its cache (about twice as fast as 50, measured on an EPYC)."""
CUDA_BATCH: Final = 250


def state_digest(module: nn.Module) -> str:
    """First 12 hexadecimal digits of the SHA-256 of a module's weights, for cache names."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:12]


class SliceNetwork(Protocol):
    """What encoding needs of a network of radiographs and slices."""

    autoencoder: Any
    latent_scale: Tensor
    align: bool
    """Whether radiographs are drawn to the scale of the slices before they are encoded."""
    magnification: float
    region_mm: float
    pixel_mm: float

    def latent_shape(self) -> tuple[int, int, int]:
        """Shape (C, h, w) of the latent of one slice."""
        ...

    def to_slice_scale(self, radiograph: Tensor) -> Tensor:
        """Radiographs [B,1,H,W] at the scale of the slices."""
        ...


class SliceEncoder:
    """E1 and E2 with frozen weights, in bfloat16 where the hardware computes it and the error stays small.

    Args:
        network: its autoencoder is used, on its device, in evaluation mode.
        low_precision: None decides by the hardware.
    """

    def __init__(self, network: SliceNetwork, low_precision: bool | None = None) -> None:
        self.network = network
        self.device = network.latent_scale.device
        self.autoencoder = network.autoencoder.eval()
        self.low_precision = computes_bfloat16(self.device) if low_precision is None else low_precision

    @torch.inference_mode()
    def slices(self, images: Tensor) -> Tensor:
        """Unscaled latents [B,C,h,w] float32 on the CPU, of slices [B,1,H,W] in [-1,1]."""
        batch = CUDA_BATCH if self.device.type == "cuda" else CPU_BATCH
        return torch.cat([self._encode(part.to(self.device)).cpu() for part in images.split(batch)])

    def radiographs(self, images: Tensor) -> Tensor:
        """The same of radiographs [B,1,H,W] in [-1,1], drawn to the scale of the slices if the network says so."""
        return self.slices(self.network.to_slice_scale(images) if self.network.align else images)

    def _encode(self, images: Tensor) -> Tensor:
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.low_precision):
            return self.autoencoder.encode(images).float()

    def settle_precision(self, images: Tensor) -> None:
        """Go back to float32 if bfloat16 errs more than ``LOW_PRECISION_ERROR`` on these slices [B,1,H,W]."""
        if not self.low_precision:
            return
        low = self.slices(images)
        self.low_precision = False
        full = self.slices(images)
        self.low_precision = bool((low - full).square().mean().sqrt() <= LOW_PRECISION_ERROR * full.std())


class LatentSlices(Dataset[dict[str, Tensor]]):
    """Latents of the slices, not scaled, with radiograph, its latent, features, depth and weight.

    An item holds ``latent`` [C,h,w], ``image`` [1,H,W], ``image_latent`` [C,h,w] of the same box, and what
    :meth:`StoredSlices.labels <monai_xray2mri.knee.data.slices.StoredSlices.labels>` gives. Which of a knee's boxes it
    shows depends on the seed, the epoch and the item alone.

    The first use encodes what is missing, knee by knee, into a store of its own, named by the autoencoder's weights and
    by whatever else the latents depend on; killed, it resumes. The network stays as it is.

    Args:
        source: the slices.
        network: its autoencoder is used.
        draws: boxes per knee, by the jitter of ``source``.
        directory: folder for encodings; None keeps them next to the slices.
        low_precision: encode in bfloat16; None decides by hardware and error.
    """

    def __init__(
        self,
        source: StoredSlices,
        network: SliceNetwork,
        *,
        draws: int = 8,
        directory: str | Path | None = None,
        low_precision: bool | None = None,
    ) -> None:
        self.source, self.draws = source, draws
        encoder = SliceEncoder(network, low_precision)
        encoder.settle_precision(self._slices(int(source.knees[0])))
        self.store = self._open(encoder, Path(directory) if directory else source.directory)
        self._encode_missing(encoder)

    def _slices(self, knee: int) -> Tensor:
        stored = self.source.store.array("slices")[knee].astype(np.float32)
        return torch.from_numpy(stored)[:, None] / 127.5 - 1  # [S,1,H,W]

    def _open(self, encoder: SliceEncoder, parent: Path) -> KneeStore:
        network = encoder.network
        index: dict[str, Any] = {
            **self.source.store.index,
            "set": self.source.store.index["source"],
            "source": "latents",
            "autoencoder": state_digest(network.autoencoder),
            "low_precision": encoder.low_precision,
            "radiograph_scale": [network.align, network.magnification, network.region_mm, network.pixel_mm],
            "draws": self.draws,
            "seed": self.source.seed,
            "jitter": [self.source.jitter.shift_mm, self.source.jitter.scale, self.source.jitter.bound],
        }
        latent, images = network.latent_shape(), self.source.store.arrays["slices"].shape
        arrays = {
            "slices": ArraySpec("float16", (images[0], *latent)),
            "radiographs": ArraySpec("uint8", (self.draws, *images[1:])),
            "radiograph_latents": ArraySpec("float16", (self.draws, *latent)),
        }
        digest = hashlib.sha256(json.dumps(index, sort_keys=True).encode()).hexdigest()[:12]
        return KneeStore.create(parent / f"latents_{digest}", len(self.source.store), index, arrays)

    def _encode_missing(self, encoder: SliceEncoder) -> None:
        for knee in self.source.knees[~self.store.done[self.source.knees]]:
            views = torch.stack([self.source.view(int(knee), draw) for draw in range(self.draws)])  # [D,1,H,W]
            # Encoded as they will be given: with the rounding of the stored views.
            gray = ((views + 1) * 127.5).round()
            self.store.write(
                int(knee),
                {
                    "slices": encoder.slices(self._slices(int(knee))).half().numpy(),
                    "radiographs": gray[:, 0].to(torch.uint8).numpy(),
                    "radiograph_latents": encoder.radiographs(gray / 127.5 - 1).half().numpy(),
                },
            )

    @cached_property
    def standard_deviation(self) -> float:
        """Standard deviation of all numbers of all slices' latents."""
        moments = np.zeros(3)  # knee by knee, so that memory does not grow with the set
        for knee in self.source.knees:
            values = self.store.array("slices")[knee].astype(np.float64)
            moments += values.size, values.sum(), np.square(values).sum()
        count, total, squares = moments
        return float(np.sqrt(squares / count - (total / count) ** 2))

    def set_epoch(self, epoch: int) -> None:
        """See :meth:`~monai_xray2mri.knee.data.slices.StoredSlices.set_epoch`."""
        self.source.set_epoch(epoch)

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.source)

    def __getitem__(self, item: int) -> dict[str, Tensor]:
        """Latents and condition of slice ``item``."""
        knee, position = self.source.row_of(item)
        draw = int(draw_generator("look", self.source.seed, self.source.epoch, item).integers(self.draws))
        views, films = self.store.array("radiographs"), self.store.array("radiograph_latents")
        return {
            "latent": torch.from_numpy(self.store.array("slices")[knee, position].astype(np.float32)),
            "image": torch.from_numpy(views[knee, draw].astype(np.float32))[None] / 127.5 - 1,
            "image_latent": torch.from_numpy(films[knee, draw].astype(np.float32)),
            **self.source.labels(item),
        }
