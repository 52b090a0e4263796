"""What a user may choose about how results are drawn, said once for every system that draws them by diffusion."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from monai_xray2mri.core.options import Option
from monai_xray2mri.diffusion.sampler_settings import SHORTEST_MM, SamplerSettings
from monai_xray2mri.errors import UsageError

if TYPE_CHECKING:
    import torch

SEED: Final = Option("seed", int, "seed of the initial noise", 0, low=0, high=2**63 - 1, metavar="N")
SAMPLES: Final = Option(
    "samples", int, "volumes drawn; their mean is written, from two on with their spread", 1, low=1, high=64,
    metavar="N", zero_is_unset=True,
)  # fmt: skip

SAMPLER_OPTIONS: Final = (
    Option("steps", int, "sampling steps (default: the bundle's)", low=1, metavar="N", zero_is_unset=True),
    Option(
        "guidance", float, "guidance scale, 1 is none (default: the bundle's)", low=0, high=20, metavar="SCALE",
        zero_is_unset=True,
    ),
    Option(
        "feature_guidance", float,
        "guidance scale of the features alone, above 1 shows them more (default: --guidance, else the bundle's)",
        low=0, high=20, metavar="SCALE", zero_is_unset=True,
    ),
    Option(
        "eta", float, "noise that steps add, 0 none to 1 ancestral (default: the bundle's)", low=0, high=1,
        metavar="ETA",
    ),
    Option(
        "noise_shared", float, "share of the noise common to all slices, 0 to 1 (default: the bundle's)", low=0,
        high=1, metavar="SHARE",
    ),
    Option(
        "noise_length_mm", float, "reach of the finest noise along depth (default: the bundle's)", low=SHORTEST_MM,
        high=1000, flag="--noise-length", metavar="MM", zero_is_unset=True,
    ),
    Option(
        "noise_aspect", float, "growth of that reach per wavelength in the plane (default: the bundle's)", low=0,
        high=1, metavar="RATIO",
    ),
)  # fmt: skip
"""The fields of :class:`~monai_xray2mri.diffusion.sampler_settings.SamplerSettings`, in their order."""

DTYPE: Final = Option(
    "dtype", str, "what the networks compute in; auto is float32 (docs/sampling.md tells what the others cost)", "auto",
    choices=("auto", "float32", "bfloat16", "float16"),
)  # fmt: skip
CHUNK: Final = Option(
    "chunk", int, "slices computed together; bounds the memory, not the result", 25, low=1, high=512, metavar="N",
    zero_is_unset=True,
)  # fmt: skip

DTYPES: Final = DTYPE.choices[1:]


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
        from monai_xray2mri.diffusion.precision import DTYPES as TYPES

        return TYPES["float32" if self.dtype == "auto" else self.dtype]
