"""Latent diffusion of volumes whose slices hear each other while they are drawn: all slices advance step by step.

A slice that hears its neighbors cannot be drawn without them, and they not without theirs. So the sampler takes its
steps with the latents of the whole volume, which are small, and in each step the network, which is large, is evaluated
chunk by chunk. A chunk is evaluated together with every slice that it hears through all mixing blocks
(:meth:`~monai_xray2mri.networks.depth_mixing.DepthMixing.heard`), and what the network gives for those beside the chunk
is left. The overlap of two chunks is thus the receptive field of one evaluation, however many steps there are, and the
result does not depend on the chunk but for rounding.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from monai_xray2mri.diffusion.guidance import Condition, classifier_free_guidance
from monai_xray2mri.diffusion.latent_diffusion import LatentDiffusion, Noise, decoded_together, share_of_work
from monai_xray2mri.diffusion.parts import compute_parts
from monai_xray2mri.diffusion.precision import computing_in
from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.diffusion.samplers import Model, Sampler, ddim
from monai_xray2mri.networks.depth_mixing import DepthMixing
from monai_xray2mri.networks.inference import inference_twin


class _Chunk(NamedTuple):
    """Slices [n] that are evaluated together, and which of them [n] bool count."""

    evaluated: Tensor
    kept: Tensor


class DepthMixedDiffusion(LatentDiffusion):
    """Latent diffusion of slices with depths, whose denoiser may mix neighboring ones.

    Where the denoiser does not (its ``mixing`` is None) each slice is drawn on its own, as in
    :class:`~monai_xray2mri.diffusion.latent_diffusion.LatentDiffusion`.
    """

    @abstractmethod
    def denoise(
        self, z_t: Tensor, t: Tensor, condition: Condition, place: Tensor, neighbors: Tensor | None = None
    ) -> Tensor:
        """As without mixing; with neighbors [2n,S,S] the batch is a number of times the same S slices."""

    @property
    def mixing(self) -> DepthMixing | None:
        """How neighboring slices hear each other; None: they do not."""
        found: DepthMixing | None = getattr(self.denoiser, "mixing", None)
        return found

    def neighbors(self, place: Tensor, volume: Tensor | None = None) -> Tensor | None:
        """Neighbors [2n,S,S] of slices at depths [S], of one volume or of volumes [S]; None without mixing."""
        return None if self.mixing is None else self.mixing.neighbors(place * self.range_mm, volume)

    def bind(
        self,
        condition: Condition,
        place: Tensor,
        guidance: float,
        feature_guidance: float | None = None,
        neighbors: Tensor | None = None,
    ) -> Model:
        """As without mixing; the slices at depths [B] are one volume, or have these neighbors [2n,B,B]."""
        near = self.neighbors(place) if neighbors is None else neighbors
        if near is None:
            return super().bind(condition, place, guidance, feature_guidance)

        def predict(z_t: Tensor, t: Tensor, given: Condition) -> Tensor:
            several = place.repeat(len(z_t) // len(place))
            return self.denoise(z_t, t, given, several, near).to(z_t)

        return classifier_free_guidance(predict, condition, self.null_like(condition), guidance, feature_guidance)

    @torch.inference_mode()
    def sample(
        self,
        condition: Condition,
        places: Tensor,
        *,
        noise: Noise,
        sampler: Sampler = ddim,
        settings: SamplerSettings | None = None,
        chunk: int = 25,
        dtype: torch.dtype = torch.float32,
        together: bool = False,
        callback: Callable[[int], object] | None = None,
    ) -> Tensor:
        """Draw the slices of one volume, as without mixing, but all of them together.

        ``chunk`` of them are evaluated at a time, by each thread of a CPU, and those besides that they hear. Memory
        depends on that and, by little, on the latents of the volume.
        """
        near = self.neighbors(places.to(self.null_context))
        if near is None:
            return super().sample(
                condition, places, noise=noise, sampler=sampler, settings=settings, chunk=chunk, dtype=dtype,
                together=together, callback=callback,
            )  # fmt: skip
        chosen, like = settings or self.settings, condition.image_latent
        twin = inference_twin(self, dtype)
        threads = torch.get_num_threads() if like.device.type == "cpu" else 1
        models = [
            (
                part,
                twin.bind(
                    condition.expand(len(part.evaluated)),
                    places[part.evaluated].to(like),
                    chosen.guidance,
                    chosen.feature_guidance,
                    near[:, part.evaluated][:, :, part.evaluated],
                ),
            )
            for part in self.chunks(near.cpu(), min(chunk, -(-len(places) // threads)))
        ]

        def evaluate(z_t: Tensor, t: Tensor, found: Tensor, part: _Chunk, model: Model, _: object) -> None:
            with torch.inference_mode(), computing_in(dtype, like.device):  # of each thread
                found[part.evaluated[part.kept]] = model(z_t[part.evaluated], t[part.evaluated])[part.kept]

        def model(z_t: Tensor, t: Tensor) -> Tensor:
            found = torch.empty_like(z_t)
            compute_parts([partial(evaluate, z_t, t, found, *each) for each in models], threads, None)
            return found

        latent = sampler(
            model,
            noise.initial(places).to(like),
            self.schedule,
            chosen.steps,
            chosen.eta,
            lambda index: noise.step(index, places).to(like),
            share_of_work(len(places), chosen.steps, callback or (lambda _: None)),
        )  # [S,C,h,w]
        images = torch.empty(len(places), 1, self.image_size, self.image_size, device=like.device)
        few = decoded_together(like.device, dtype)

        def decode(image: Tensor, code: Tensor, _: object) -> None:
            with torch.inference_mode(), computing_in(dtype, like.device):
                image.copy_(twin.decode(code))  # [few,1,H,W]

        pairs = zip(images.split(few), latent.split(few), strict=True)
        compute_parts([partial(decode, *pair) for pair in pairs], threads, None)
        return images

    def chunks(self, neighbors: Tensor, size: int) -> list[_Chunk]:
        """Chunks of so many slices, each with those that it hears.

        Args:
            neighbors: of the volume, [2n,S,S] on the CPU.
            size: slices of a chunk.
        """
        assert self.mixing is not None
        found = []
        for kept in torch.arange(neighbors.shape[2]).split(size):
            rows = torch.zeros(neighbors.shape[2], dtype=torch.bool)
            rows[kept] = True
            heard = self.mixing.heard(neighbors, rows)
            found.append(_Chunk(heard.nonzero()[:, 0], rows[heard]))
        return found
