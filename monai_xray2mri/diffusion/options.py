"""What a user may choose about how results are drawn, said once for every system that draws them by diffusion."""

from __future__ import annotations

from typing import Final

from monai_xray2mri.core.options import Option
from monai_xray2mri.diffusion.sampler_settings import SHORTEST_MM

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
    "dtype", str,
    "type that the networks compute in; auto is float32, hardware is bfloat16 where the device multiplies it, else "
    "float32 (docs/diffusion/sampling.md)",
    "auto", choices=("auto", "float32", "bfloat16", "float16", "hardware"),
)  # fmt: skip
CHUNK: Final = Option(
    "chunk", int, "slices computed together; bounds the memory, not the result", 25, low=1, high=512, metavar="N",
    zero_is_unset=True,
)  # fmt: skip
