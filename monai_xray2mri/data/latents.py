"""Latents of a simulated training set: encoded once by the frozen autoencoder (paper 000, Algorithm 1)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, WeightedRandomSampler

from monai_xray2mri.data.simulated import SimulatedSlices
from monai_xray2mri.diffusion.slice_diffusion import SliceDiffusion


def state_digest(module: torch.nn.Module) -> str:
    """First 12 hexadecimal digits of the SHA-256 of a module's weights, for cache names."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:12]


class LatentSlices(Dataset[dict[str, Tensor]]):
    """Scaled latents z_0 of the slices, with radiograph, its latent, features, depth and lesion mask.

    An item holds ``latent`` [C,h,w], ``radiograph`` [1,H,W], ``radiograph_latent`` [C,h,w], ``features`` [61],
    ``depth`` () and ``lesions`` [1,h,w]. The first use encodes everything and sets ``network.latent_scale`` so that the
    latents have unit variance; the encoding is kept beside the set, named by the autoencoder's digest.

    Args:
        source: the simulated slices.
        network: its autoencoder is used, and its ``latent_scale`` is set.
        batch: slices that are encoded together.
    """

    def __init__(self, source: SimulatedSlices, network: SliceDiffusion, batch: int = 50) -> None:
        self.source = source
        cache = source.directory / f"latents_{state_digest(network.autoencoder)}_{len(source.knees)}.npz"
        if not cache.exists():
            self._encode(source, network, cache, batch)
        with np.load(cache) as arrays:
            self.latents = torch.from_numpy(arrays["slices"])  # [N*S,C,h,w] float16
            self.radiographs = torch.from_numpy(arrays["radiographs"])  # [N,C,h,w] float16
        scale = 1 / self.latents.float().std()
        network.latent_scale.copy_(scale)
        self.scale = scale
        self.lesions = torch.from_numpy(np.asarray(source.arrays["lesions"][source.knees]))  # [N,S,h,w]

    @staticmethod
    @torch.inference_mode()
    def _encode(source: SimulatedSlices, network: SliceDiffusion, cache: Path, batch: int) -> None:
        device = network.latent_scale.device
        slices, radiographs = [], []
        for number, knee in enumerate(source.knees):
            items = [source[number * source.slices + position]["slice"] for position in range(source.slices)]
            images = torch.stack(items).to(device).split(batch)
            slices += [network.autoencoder.encode(part).half().cpu() for part in images]
            film = network.to_slice_scale(source.radiograph(int(knee))[None].to(device))
            radiographs.append(network.autoencoder.encode(film).half().cpu())
        beside = cache.with_suffix(".part.npz")
        np.savez(beside, slices=torch.cat(slices).numpy(), radiographs=torch.cat(radiographs).numpy())
        beside.rename(cache)

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.latents)

    def __getitem__(self, item: int) -> dict[str, Tensor]:
        """Latents and condition of slice ``item``."""
        number, position = divmod(item, self.source.slices)
        knee = int(self.source.knees[number])
        return {
            "latent": self.latents[item].float() * self.scale,
            "radiograph": self.source.radiograph(knee),
            "radiograph_latent": self.radiographs[number].float() * self.scale,
            "features": torch.from_numpy(self.source.arrays["features"][knee].astype(np.float32)),
            "depth": torch.tensor(position / (self.source.slices - 1)),
            "lesions": self.lesions[number, position][None].float(),
        }

    def sampler(self, count: int, lesion_share: float, seed: int = 0) -> WeightedRandomSampler:
        """Draws ``count`` slices of which ``lesion_share`` show a lesion.

        Lesions fill few slices; without this the features that tell of them are hardly ever learnt
        (docs/training.md).
        """
        has = self.lesions.flatten(2).any(dim=2).flatten().double()  # [N*S]
        share = lesion_share if 0 < has.sum() < len(has) else float(has.mean())
        weight = has * share / has.sum().clamp(min=1) + (1 - has) * (1 - share) / (1 - has).sum().clamp(min=1)
        return WeightedRandomSampler(weight.tolist(), count, generator=torch.Generator().manual_seed(seed))
