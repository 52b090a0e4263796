"""MONAI inferer of the knee bundles: sampling options per request, the network made once."""

from __future__ import annotations

from typing import Any

import torch
from monai.inferers import Inferer

from monai_xray2mri.diffusion.options import Options


class SliceDiffusionInferer(Inferer):
    """Samples one volume per radiograph of the batch; of several samples the mean.

    Options may be numbers, numeric strings or empty (clients of MONAI Label send all three); empty and None stand for
    the model's default, and so does 0 where 0 is no value of the option.
    :class:`~monai_xray2mri.diffusion.options.Options` says what they mean.

    Args:
        seed: seed of the initial noise, the same for every radiograph.
        steps: sampling steps.
        slices: slices over the modelled range.
        guidance: guidance scale.
        feature_guidance: of the features alone.
        samples: volumes per radiograph, each with noise of its own; the first is that of one sample alone.
        eta: DDIM eta.
        noise_shared: share of the noise that all slices have in common.
        noise_length_mm: how far along depth the finest noise is alike.
        noise_aspect: growth of that length per wavelength in the plane.
        dtype: what the networks compute in.
        chunk: slices that are computed together.

    Raises:
        UsageError: a value out of range.
    """

    def __init__(
        self,
        seed: Any = 0,
        steps: Any = None,
        slices: Any = None,
        guidance: Any = None,
        feature_guidance: Any = None,
        samples: Any = None,
        eta: Any = None,
        noise_shared: Any = None,
        noise_length_mm: Any = None,
        noise_aspect: Any = None,
        dtype: Any = None,
        chunk: Any = None,
    ) -> None:
        super().__init__()
        self.options = Options(
            seed=int(seed or 0),
            samples=int(samples or 0) or 1,
            steps=int(steps or 0) or None,
            slices=int(slices or 0) or None,
            guidance=float(guidance or 0) or None,
            feature_guidance=float(feature_guidance or 0) or None,
            eta=_number(eta),
            noise_shared=_number(noise_shared),
            noise_length_mm=float(noise_length_mm or 0) or None,
            noise_aspect=_number(noise_aspect),
            dtype=str(dtype or "auto"),
            chunk=int(chunk or 0) or Options.chunk,
        )

    def __call__(
        self, inputs: torch.Tensor, network: Any, features: torch.Tensor | None = None, *_: Any, **__: Any
    ) -> torch.Tensor:
        """Radiographs [B,1,H,W] in [-1,1], one-hot features [B,61] or None, to volumes [B,1,H,W,S] in [-1,1]."""
        self.options.check(network.schedule.steps)
        volumes = []
        for index in range(len(inputs)):
            with torch.inference_mode():
                condition = network.condition(
                    inputs[index : index + 1], None if features is None else features[index : index + 1]
                )
            generator = torch.Generator().manual_seed(self.options.seed)
            mean = torch.zeros(())
            for count in range(1, self.options.samples + 1):
                mean = mean + (self._sample(condition, network, generator) - mean) / count  # [1,1,S,H,W]
            volumes.append(mean.permute(0, 1, 3, 4, 2))
        return torch.cat(volumes)

    def _sample(self, condition: Any, network: Any, generator: torch.Generator) -> torch.Tensor:
        chosen, sampler = self.options, self.options.sampler(network.sampler)
        volume: torch.Tensor = network.sample(
            condition,
            noise=network.draw_noise(generator, sampler),
            sampler=sampler,
            slices=chosen.slices,
            chunk=chosen.chunk,
            dtype=chosen.precision,
        )
        return volume


def _number(value: Any) -> float | None:
    return None if value is None or value == "" else float(value)
