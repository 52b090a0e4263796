"""What a client may ask for: the parameters of a MONAI Label request, as numbers, texts or empty."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from monai_xray2mri.core.stored_values import FULL_SCALE
from monai_xray2mri.diffusion.options import Options
from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.grading.features import validate_grades
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.label.volume_file import EXTENSIONS
from monai_xray2mri.types import Side

SIDES = {
    "": None, "R": Side.RIGHT, "L": Side.LEFT, "RIGHT": Side.RIGHT, "LEFT": Side.LEFT,
}  # fmt: skip
_TRUTH = {"0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}
_COUNTS = ("samples", "steps", "slices", "chunk")
_NUMBERS = ("guidance", "feature_guidance", "eta", "noise_shared", "noise_length_mm", "noise_aspect")
_NEVER_ZERO = (*_COUNTS, "guidance", "feature_guidance", "noise_length_mm")
_REMEDY = "Choose another value, or leave it empty for the default."


@dataclass(frozen=True)
class SynthesisRequest:
    """A request that has been read.

    Attributes:
        side: the knee wanted.
        features: gradings sent with the request; None if none were.
        assume_spacing: take a picture without spacing as one joint region.
        force: use also a picture that the checks doubt.
        estimate: let a classifier grade a knee that nothing else grades.
        options: of the synthesis.
        extension: of the result's file.
        dtype: of the result's voxels.
    """

    side: Side | None
    features: Grading | None
    assume_spacing: bool
    force: bool
    estimate: bool
    options: Options
    extension: str
    dtype: str


def read_request(parameters: Mapping[str, Any]) -> SynthesisRequest:
    """Read the parameters of a request; what is absent or empty takes its default, what is unknown is left alone.

    Args:
        parameters: as MONAI Label hands them on, among others of its own. ``features`` is a mapping of OAI names to
            grades, or that as JSON.

    Raises:
        UsageError: a value is no number, or none of those allowed.
        InputRefused: a feature or grade does not exist.
    """
    chosen: dict[str, Any] = {name: _number(parameters, name, _whole) for name in ("seed", *_COUNTS)}
    chosen |= {name: _number(parameters, name, float) for name in _NUMBERS}
    for name in _NEVER_ZERO:  # Slicer's fields show 0 for "not set"
        chosen[name] = chosen[name] or None
    chosen["dtype"] = _text(parameters.get("dtype")) or None
    return SynthesisRequest(
        side=side_of(parameters.get("side")),
        features=_features(parameters.get("features")),
        assume_spacing=truth_of(parameters.get("assume_spacing"), "assume_spacing"),
        force=truth_of(parameters.get("force"), "force"),
        estimate=truth_of(parameters.get("estimate"), "estimate", default=True),
        options=Options(**{name: value for name, value in chosen.items() if value is not None}),
        extension=_one_of(parameters, "result_extension", EXTENSIONS, ".nrrd"),
        dtype=_one_of(parameters, "result_dtype", tuple(FULL_SCALE), "float32"),
    )


def side_of(value: object) -> Side | None:
    """The side that a text names; None for an empty one.

    Raises:
        UsageError: it names no side.
    """
    text = _text(value).upper()
    if text not in SIDES:
        raise UsageError("option side", "must be R, L or empty", text[:20], "R is the patient's right knee.")
    return SIDES[text]


def truth_of(value: object, name: str, default: bool = False) -> bool:
    """Yes or no, from a truth value, number or text; the default where there is none.

    Raises:
        UsageError: it is none of them.
    """
    text = _text(value).lower()
    if not text:
        return default
    if text not in _TRUTH:
        raise UsageError(f"option {name}", "must be true or false", text[:20], _REMEDY)
    return _TRUTH[text]


def _text(value: object) -> str:
    """A value as text; of a list of choices, as MONAI Label shows them, the first."""
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    return "" if value is None else str(value).strip()


def _number(parameters: Mapping[str, Any], name: str, kind: Callable[[str], float]) -> float | None:
    text = _text(parameters.get(name))
    if not text:
        return None
    try:
        return kind(text)
    except (ValueError, OverflowError):
        word = "a number" if kind is float else "a whole number"
        raise UsageError(f"option {name}", f"must be {word}", text[:20], _REMEDY) from None


def _whole(text: str) -> int:
    """A whole number, also one written as ``20.0``; not by way of a float, which would round a long seed."""
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise
        return int(number)


def _one_of(parameters: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    text = _text(parameters.get(name)) or default
    if text not in allowed:
        raise UsageError(f"option {name}", f"must be one of: {', '.join(allowed)}", text[:20], _REMEDY)
    return text


def _features(value: object) -> Grading | None:
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except ValueError:
            raise UsageError("option features", "must be JSON", "another text", '{"XRKL": 2} is an example.') from None
    if not value:
        return None
    if not isinstance(value, Mapping):
        raise UsageError("option features", "must map names to grades", type(value).__name__, "See xray2mri report.")
    given = {name: grade for name, grade in value.items() if grade not in (None, "")}
    return validate_grades(given, source="request") if given else None
