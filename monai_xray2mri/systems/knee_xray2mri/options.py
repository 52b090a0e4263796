"""What may be chosen about a synthesis of a knee: about its source, and about how volumes are drawn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from monai_xray2mri.core.options import Option, chosen_options, require_known
from monai_xray2mri.diffusion.options import CHUNK, DTYPE, SAMPLER_OPTIONS, SAMPLES, SEED
from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.errors import UsageError
from monai_xray2mri.types import Side

if TYPE_CHECKING:
    from monai_xray2mri.knee.grading.record import Grading
    from monai_xray2mri.knee.grading.report_codes import ReportCodes
    from monai_xray2mri.systems.knee_xray2mri.faster import FasterParts
    from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion

REQUEST_OPTIONS: Final = (
    Option(
        "side", str, "the only knee wanted, or the side of a film that does not say", choices=("R", "L"),
        spellings={"right": "R", "left": "L"},
    ),
    Option("features", Path, "JSON or CSV with radiographic features; replaces reports", metavar="FILE"),
    Option("codes", Path, "JSON: what the codes of a hospital's own reports mean", metavar="FILE"),
    Option("oai_table", Path, "OAI's kXR_SQ_BUxx, for films without a report", metavar="FILE"),
    Option(
        "width_mm", float, "width of a picture without pixel spacing in mm", low=20, high=1500, metavar="MM",
        zero_is_unset=True,
    ),
    Option(
        "pixel_spacing", float, "pixel spacing of a picture without one in mm", low=0.01, high=2, metavar="MM",
        zero_is_unset=True,
    ),
    Option("assume_spacing", bool, "research: take a picture without pixel spacing as one joint region", default=False),
    Option("force", bool, "use also a picture that the checks doubt; recorded", default=False),
    Option(
        "estimate", bool, "leave a knee that nothing grades unknown, instead of grading it with a classifier",
        default=True, flag="--no-estimate",
    ),
)  # fmt: skip
"""The fields of :class:`KneeRequest`."""

SLICES: Final = Option(
    "slices", int, "slices over the depth range (default: the bundle's)", low=2, high=500, metavar="N",
    zero_is_unset=True,
)  # fmt: skip
FAST: Final = Option("fast", bool, "few steps with the bundle's weights for them, if it has some", default=False)
DECODER: Final = Option(
    "decoder", str, "what draws the slices: the autoencoder's own decoder, or the bundle's small one", "large",
    choices=("large", "small"),
)  # fmt: skip
STEPS, *_OTHERS = SAMPLER_OPTIONS
SAMPLING_OPTIONS: Final = (SEED, SAMPLES, STEPS, SLICES, *_OTHERS, FAST, DECODER, DTYPE, CHUNK)


@dataclass(frozen=True)
class KneeRequest:
    """What is wanted of a study.

    Attributes:
        side: the only knee wanted, and what tells the side of a film that does not say it; None: both.
        features: gradings of the user, which replace reports: by side, or the file that holds them; None: none.
        codes: what the codes of a hospital's own reports mean; None: those of the OAI and words alone.
        oai_table: OAI's central readings, for knees that no report grades.
        width_mm: width of a picture without pixel spacing in mm.
        pixel_spacing: its pixel spacing in mm; only one of the two.
        assume_spacing: for research: take a picture without spacing as one joint region.
        force: use also what the checks of the picture doubt; the result says so.
        estimate: let a classifier grade a knee that nothing else grades; marked as such.
    """

    side: Side | None = None
    features: Mapping[Side, Grading] | Path | None = None
    codes: ReportCodes | None = None
    oai_table: Path | None = None
    width_mm: float | None = None
    pixel_spacing: float | None = None
    assume_spacing: bool = False
    force: bool = False
    estimate: bool = True


def knee_request(**values: Any) -> KneeRequest:
    """The request with these values.

    Args:
        **values: of :data:`REQUEST_OPTIONS`. ``features`` is a file, a mapping of OAI names to grades, or that mapping
            as JSON; ``codes`` a file or its content.

    Raises:
        UsageError: an option is unknown, out of range, or names a file that cannot be read.
        InputRefused: a feature or grade does not exist.
    """
    require_known(values, REQUEST_OPTIONS)
    features, codes = values.pop("features", None), values.pop("codes", None)
    side = next(option for option in REQUEST_OPTIONS if option.name == "side").read(values.pop("side", None))
    read_here = ("side", "features", "codes")
    chosen = chosen_options([option for option in REQUEST_OPTIONS if option.name not in read_here], values)
    side = Side(side) if side else None
    if chosen["oai_table"] is not None:
        chosen["oai_table"] = Path(chosen["oai_table"])
    if chosen["width_mm"] is not None and chosen["pixel_spacing"] is not None:
        raise UsageError("options width_mm and pixel_spacing", "exclude each other", "both", "Give one of them.")
    return KneeRequest(side=side, features=_gradings(features), codes=_codes(codes), **chosen)


def _codes(codes: Any) -> ReportCodes | None:
    """What codes mean, from a file, its content, or nothing."""
    from monai_xray2mri.knee.grading.report_codes import read_report_codes

    return read_report_codes(codes) if codes else None


def _gradings(features: Any) -> Mapping[Side, Grading] | Path | None:
    """Gradings that hold for whichever knee is used. A file waits until the sides of the film are known."""
    from monai_xray2mri.knee.grading.features import validate_grades

    if features is None or features == "" or isinstance(features, Path):
        return features or None
    source = "features"
    if isinstance(features, str):
        features, source = _parsed(features), "request"
    if not isinstance(features, Mapping):
        raise UsageError("option features", "must map names to grades", type(features).__name__, "See xray2mri report.")
    given = {name: grade for name, grade in features.items() if grade not in (None, "")}
    if source == "request" and not given:
        return None
    return dict.fromkeys(Side, validate_grades(given, source=source))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise UsageError("option features", "must be JSON", "another text", '{"XRKL": 2} is an example.') from None


@dataclass(frozen=True)
class KneeSampling:
    """How the volumes of a knee are drawn; every value is decided.

    Attributes:
        seed: of the initial noise; every knee and sample derives its own from it.
        samples: volumes that are drawn; their mean and, from two on, their standard deviation are returned.
        slices: slices S over the modelled depth range.
        sampler: of the denoiser.
        dtype: what the networks compute in: ``float32``, ``bfloat16`` or ``float16``.
        chunk: slices that are computed together; bounds the memory, not the result.
        fast: with the bundle's weights for few steps, and the sampler of consistency models.
        decoder: ``large``, the autoencoder's own, or ``small``.
    """

    seed: int
    samples: int
    slices: int
    sampler: SamplerSettings
    dtype: str
    chunk: int
    fast: bool = False
    decoder: str = "large"

    @property
    def small(self) -> bool:
        """Whether the small decoder draws."""
        return self.decoder == "small"

    def record(self) -> dict[str, object]:
        """What determines a volume, in the order that results have always told it; ``chunk`` does not."""
        sampler = asdict(self.sampler)
        first = {"seed": self.seed, "samples": self.samples, "steps": sampler.pop("steps"), "slices": self.slices}
        faster = {"fast": True} if self.fast else {}
        return first | sampler | faster | ({"decoder": self.decoder} if self.small else {}) | {"dtype": self.dtype}


def knee_sampling(network: SliceDiffusion, faster: FasterParts | None = None, **options: Any) -> KneeSampling:
    """Options of a synthesis, checked and completed with what the network itself holds.

    Args:
        network: of the bundle.
        faster: what the bundle brings beside it; None: nothing.
        **options: of :data:`SAMPLING_OPTIONS`; None: not chosen.

    Raises:
        UsageError: an option is unknown or out of range, or asks for what the bundle does not bring.
    """
    from monai_xray2mri.diffusion.precision import chosen_dtype
    from monai_xray2mri.systems.knee_xray2mri.faster import FasterParts

    require_known(options, SAMPLING_OPTIONS)
    given = {name: value for name, value in options.items() if value is not None}
    replace(STEPS, high=network.schedule.steps).check(given.get("steps"))
    chosen = chosen_options(SAMPLING_OPTIONS, given)
    parts = faster or FasterParts()
    settings = {option.name: chosen[option.name] for option in SAMPLER_OPTIONS}
    if chosen["fast"]:
        settings = _few_steps(settings, parts.steps)
    if chosen["decoder"] == "small":
        parts.require_small_decoder()
    sampler = network.settings.altered(**settings)
    dtype = chosen_dtype(chosen["dtype"], network)
    slices = chosen["slices"] or network.slices
    return KneeSampling(
        chosen["seed"], chosen["samples"], slices, sampler, dtype, chosen["chunk"], chosen["fast"], chosen["decoder"]
    )


def _few_steps(settings: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """Settings of the sampler of consistency models: as few steps as were trained for, no guidance, all noise fresh.

    Raises:
        UsageError: another guidance or eta is chosen.
    """
    for name in ("guidance", "feature_guidance", "eta"):
        if settings[name] not in (None, 1):
            remedy = "Leave one of them out: few steps are not guided, and all noise between them is fresh."
            raise UsageError(f"options fast and {name}", "exclude each other", "both", remedy)
    return {**settings, "steps": settings["steps"] or steps, "guidance": 1.0, "feature_guidance": 1.0, "eta": 1.0}
