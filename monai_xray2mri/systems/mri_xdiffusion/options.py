"""What may be chosen about a volume from slices: about its source, and about how it is drawn."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from monai_xray2mri.core.options import Option, chosen_options, require_known
from monai_xray2mri.diffusion.options import CHUNK, DTYPE, SAMPLER_OPTIONS, SEED
from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.errors import UsageError
from monai_xray2mri.types import Side

if TYPE_CHECKING:
    from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion

REQUEST_OPTIONS: Final = (
    Option(
        "slice", int, "numbers of the slices that are given, from 1 (default: all of a few, else the middle one)",
        low=1, metavar="N", several=True,
    ),
    Option(
        "side", str, "side of the body, where the source does not say it", choices=("R", "L"),
        spellings={"right": "R", "left": "L"},
    ),
    Option("force", bool, "use also slices that the bundle was not trained for; recorded", default=False),
)  # fmt: skip
"""The fields of :class:`SliceRequest`."""

AUGMENTED: Final = ("none", "flips", "turns", "scales", "all")
"""Rows of Table XI, see :mod:`~monai_xray2mri.systems.mri_xdiffusion.augmentation`."""
REFINED: Final = ("none", "consistent", "entropy_min", "entropy_max")
"""See :mod:`~monai_xray2mri.systems.mri_xdiffusion.refinement`."""
DIRECTIONS: Final = ("around", "planes", "same")
VIEWS: Final = Option(
    "views", int, "views of which the volume is made; from two on their spread is written, too", 1, low=1, high=360,
    metavar="N", zero_is_unset=True,
)  # fmt: skip
STEPS, *_OTHERS = (option for option in SAMPLER_OPTIONS if option.name != "feature_guidance")
SAMPLING_OPTIONS: Final = (
    SEED,
    VIEWS,
    Option(
        "directions", str, "of the views: around the vertical axis, the three planes, or all the same (samples)",
        "around", choices=DIRECTIONS,
    ),
    Option("aggregate", str, "what becomes of the views", "mean", choices=("mean", "max")),
    Option("augment", str, "draw each view also from changed slices, and average", "none", choices=AUGMENTED),
    Option(
        "refine", str, "estimates while a view is drawn: towards the given slices, or as the paper prints it",
        "none", choices=REFINED,
    ),
    Option("keep_input", bool, "lay the given slices into the result as they were acquired", default=False),
    STEPS,
    *_OTHERS,
    DTYPE,
    CHUNK,
)  # fmt: skip


@dataclass(frozen=True)
class SliceRequest:
    """What is wanted of a series.

    Attributes:
        slice: numbers of the slices that are given, from 1; None: all of a few, else the middle one.
        side: of the body, where the source does not say it.
        force: use also slices that the bundle was not trained for; the result says so.
    """

    slice: tuple[int, ...] | None = None
    side: Side | None = None
    force: bool = False


def slice_request(**values: Any) -> SliceRequest:
    """The request with these values.

    Args:
        **values: of :data:`REQUEST_OPTIONS`; ``slice`` may be one number or several.

    Raises:
        UsageError: an option is unknown or out of range, or a slice is named twice.
    """
    require_known(values, REQUEST_OPTIONS)
    numbers, side = (option.read(values.pop(option.name, None)) for option in REQUEST_OPTIONS[:2])
    chosen = chosen_options(REQUEST_OPTIONS[2:], values)
    if numbers and len(set(numbers)) < len(numbers):
        raise UsageError("option slice", "must name each slice once", " ".join(map(str, numbers)), "Leave one out.")
    return SliceRequest(numbers, Side(side) if side else None, **chosen)


@dataclass(frozen=True)
class SliceSampling:
    """How a volume is drawn from slices; every value is decided.

    Attributes:
        seed: of the initial noise; every view derives its own from it.
        views: N of section 3.2.
        directions: ``"around"`` the vertical axis (section 3.2), the three ``"planes"`` (Table XIV), or all the
            ``"same"``: N samples of one view, the control that tells views from averaging.
        aggregate: ``"mean"`` or ``"max"`` of the views (Table V).
        augment: test-time augmentation (appendix D.9), one of :data:`AUGMENTED`.
        refine: test-time optimization (appendix D.17), one of :data:`REFINED`.
        keep_input: the given slices are laid into the result.
        sampler: of the denoiser.
        dtype: what the networks compute in.
        chunk: sections that are computed together; bounds the memory, not the result.
    """

    seed: int
    views: int
    directions: str
    aggregate: str
    augment: str
    refine: str
    keep_input: bool
    sampler: SamplerSettings
    dtype: str
    chunk: int

    def record(self) -> dict[str, object]:
        """What determines a volume; ``chunk`` does not."""
        known = asdict(self)
        sampler = known.pop("sampler")
        del known["chunk"], sampler["feature_guidance"]
        dtype = known.pop("dtype")
        return known | sampler | {"dtype": dtype}


def slice_sampling(network: CrossSectionDiffusion, **options: Any) -> SliceSampling:
    """Options of a volume, checked and completed with what the network itself holds.

    Args:
        network: of the bundle.
        **options: of :data:`SAMPLING_OPTIONS`; None: not chosen.

    Raises:
        UsageError: an option is unknown or out of range, or there are other than three views in the three planes.
    """
    from monai_xray2mri.diffusion.precision import chosen_dtype  # needs torch, which a list of options does not

    require_known(options, SAMPLING_OPTIONS)
    given = {name: value for name, value in options.items() if value is not None}
    if given.get("directions") == "planes":
        given.setdefault("views", 3)
        if given["views"] not in (1, 3):  # 1 is what nothing chosen looks like
            raise UsageError("option views", "must be 3 in the three planes", str(given["views"]), "Leave it out.")
        given["views"] = 3
    replace(STEPS, high=network.schedule.steps).check(given.get("steps"))
    chosen = chosen_options(SAMPLING_OPTIONS, given)
    names = ("seed", "views", "directions", "aggregate", "augment", "refine", "keep_input")
    sampler = network.settings.altered(**{option.name: chosen[option.name] for option in (STEPS, *_OTHERS)})
    dtype = chosen_dtype(chosen["dtype"], network)
    return SliceSampling(**{name: chosen[name] for name in names}, sampler=sampler, dtype=dtype, chunk=chosen["chunk"])
