"""What may be chosen about a radiograph from a photograph: about its source, and about how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from monai_xray2mri.core.options import Option, chosen_options, read_options, require_known
from monai_xray2mri.diffusion.options import DTYPE, SAMPLER_OPTIONS, SAMPLES, SEED
from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.errors import UsageError
from monai_xray2mri.types import Side

if TYPE_CHECKING:
    from monai_xray2mri.systems.foot_xray_sccdm.network import DifferenceDiffusion
    from monai_xray2mri.systems.foot_xray_sccdm.refinement import Refinement

REQUEST_OPTIONS: Final = (
    Option(
        "side", str, "of the foot, where the photograph does not tell; of two feet the one that is wanted",
        choices=("R", "L"), spellings={"right": "R", "left": "L"},
    ),
    Option(
        "pixel_mm", float, "size of a pixel of the photograph at the floor in mm", low=0.01, high=5, metavar="MM",
        zero_is_unset=True,
    ),
    Option("force", bool, "use also a photograph that the checks doubt; recorded", default=False),
)  # fmt: skip
"""The fields of :class:`PhotographRequest`."""

_NAMES: Final = ("steps", "guidance", "eta")
STEPS, GUIDANCE, ETA = (next(option for option in SAMPLER_OPTIONS if option.name == name) for name in _NAMES)
VARIANT: Final = Option(
    "variant", str, "what is done to each step: Algorithm 1 of the paper, guidance, or nothing (default: the bundle's)",
    choices=("paper", "guidance", "none"),
)  # fmt: skip
SAMPLING_OPTIONS: Final = (
    SEED,
    replace(SAMPLES, help="radiographs drawn; their mean is written, from two on with spread and range of the angles"),
    STEPS,
    VARIANT,
    GUIDANCE,
    ETA,
    DTYPE,
)


@dataclass(frozen=True)
class PhotographRequest:
    """What is wanted of a photograph.

    Attributes:
        side: of the foot, where the photograph does not tell; of two feet the one that is wanted; None: all.
        pixel_mm: size of a pixel of the photograph at the floor in mm; None: what the photograph tells.
        force: use also a photograph that the checks doubt; the result says so.
    """

    side: Side | None = None
    pixel_mm: float | None = None
    force: bool = False


def photograph_request(**values: Any) -> PhotographRequest:
    """The request with these values.

    Args:
        **values: of :data:`REQUEST_OPTIONS`.

    Raises:
        UsageError: an option is unknown or out of range.
    """
    require_known(values, REQUEST_OPTIONS)
    read = read_options(REQUEST_OPTIONS, values)
    side = read.pop("side")
    return PhotographRequest(side=Side(side) if side else None, **read)


@dataclass(frozen=True)
class FootSampling:
    """How radiographs are drawn; every value is decided.

    Attributes:
        seed: of the noise; every foot and sample derives its own from it.
        samples: radiographs that are drawn.
        refinement: what is done to each step (Wan 2025, Algorithm 1).
        sampler: of the denoiser.
        dtype: what the network computes in.
    """

    seed: int
    samples: int
    refinement: Refinement
    sampler: SamplerSettings
    dtype: str

    def sampler_record(self) -> dict[str, object]:
        """What tells this way of drawing a radiograph from others, but for seed and number of samples."""
        chosen = {name: getattr(self.sampler, name) for name in _NAMES}
        return {**chosen, "variant": self.refinement.variant}

    def record(self) -> dict[str, object]:
        """What determines a result."""
        return {"seed": self.seed, "samples": self.samples, **self.sampler_record(), "dtype": self.dtype}


def foot_sampling(network: DifferenceDiffusion, **options: Any) -> FootSampling:
    """Options of a radiograph, checked and completed with what the network itself holds.

    Args:
        network: of the bundle.
        **options: of :data:`SAMPLING_OPTIONS`; None: not chosen.

    Raises:
        UsageError: an option is unknown or out of range, or guidance is combined with a variant.
    """
    from monai_xray2mri.diffusion.precision import chosen_dtype  # needs torch, which a list of options does not

    require_known(options, SAMPLING_OPTIONS)
    given = {name: value for name, value in options.items() if value is not None}
    replace(STEPS, high=network.schedule.steps).check(given.get("steps"))
    chosen = chosen_options(SAMPLING_OPTIONS, given)
    sampler = network.settings.altered(**{name: chosen[name] for name in _NAMES})
    refinement = network.refinement
    if chosen["variant"] is not None:
        refinement = replace(refinement, variant=chosen["variant"])
    if sampler.guidance != 1 and refinement.variant != "none":
        raise UsageError(
            "options guidance and variant",
            "exclude each other",
            f"guidance {sampler.guidance:g}, variant {refinement.variant}",
            "Choose guidance 1 or variant none.",
        )
    dtype = chosen_dtype(chosen["dtype"], network)
    return FootSampling(chosen["seed"], chosen["samples"], refinement, sampler, dtype)
