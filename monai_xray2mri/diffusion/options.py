"""What a user may choose about a synthesis."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch

from monai_xray2mri.diffusion.depth_noise import SHORTEST_MM
from monai_xray2mri.diffusion.precision import DTYPES
from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.errors import UsageError


@dataclass(frozen=True)
class Options:
    """Options of a synthesis; None stands for the default that the bundle holds.

    Attributes:
        seed: seed of the initial noise; every knee and sample derives its own from it.
        samples: volumes that are drawn; their mean and, from two on, their standard deviation are returned.
        steps: sampling steps.
        slices: slices over the modelled depth range.
        guidance: guidance scale; 1 is none.
        feature_guidance: guidance scale of the features alone; without it ``guidance`` holds for them too.
        eta: DDIM eta, 0 deterministic to 1 ancestral.
        noise_shared: share of the noise that all slices have in common; 1 is Wang 2024a, Algorithm 2.
        noise_length_mm: how far along depth the finest noise is alike.
        noise_aspect: growth of that length per wavelength of the noise in the plane.
        dtype: what the networks compute in: ``float32``, ``bfloat16``, ``float16``, or ``auto``, which is float32 on
            every device: see docs/sampling.md for what the others cost.
        chunk: slices that are computed together; bounds the memory, not the result.
    """

    seed: int = 0
    samples: int = 1
    steps: int | None = None
    slices: int | None = None
    guidance: float | None = None
    feature_guidance: float | None = None
    eta: float | None = None
    noise_shared: float | None = None
    noise_length_mm: float | None = None
    noise_aspect: float | None = None
    dtype: str = "auto"
    chunk: int = 25

    def check(self, longest: int) -> None:
        """Raise UsageError if a value is out of range; ``longest`` is the number of steps of the schedule."""
        remedy = "Choose another value."
        rules: dict[str, tuple[float | None, float, float]] = {
            "seed": (self.seed, 0, 2**63 - 1),
            "samples": (self.samples, 1, 64),
            "steps": (self.steps, 1, longest),
            "slices": (self.slices, 2, 500),
            "guidance": (self.guidance, 0, 20),
            "feature_guidance": (self.feature_guidance, 0, 20),
            "eta": (self.eta, 0, 1),
            "noise_shared": (self.noise_shared, 0, 1),
            "noise_length_mm": (self.noise_length_mm, SHORTEST_MM, 1000),
            "noise_aspect": (self.noise_aspect, 0, 1),
            "chunk": (self.chunk, 1, 512),
        }
        for name, (value, low, high) in rules.items():
            if value is not None and not low <= value <= high:
                raise UsageError(f"option {name}", f"must be within {low}..{high}", str(value), remedy)
        if self.dtype not in ("auto", *DTYPES):
            raise UsageError("option dtype", f"must be auto or one of: {', '.join(DTYPES)}", self.dtype, remedy)

    def sampler(self, own: SamplerSettings) -> SamplerSettings:
        """A network's own sampler with what is chosen here."""
        return own.altered(**{field.name: getattr(self, field.name) for field in fields(own)})

    @property
    def precision(self) -> torch.dtype:
        """What the networks compute in."""
        return DTYPES["float32" if self.dtype == "auto" else self.dtype]
