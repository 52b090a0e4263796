"""Gradings from and to JSON files: ``{"R": {"XRKL": 2, ...}, "L": {...}}``, or the features of one knee alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_xray2mri.dicom.files import write_whole
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.grading.features import validate_grades
from monai_xray2mri.types import Grading, Side

MAX_BYTES = 1_000_000
"""A features file has about 600 bytes; a larger one is something else."""

_SIDES = {"R": Side.RIGHT, "RIGHT": Side.RIGHT, "L": Side.LEFT, "LEFT": Side.LEFT}
_SHAPE = 'Give {"R": {"XRKL": 2, ...}, "L": {...}}, or {"XRKL": 2, ...} for a film of one knee.'


def read_grading_file(path: Path, sides: Sequence[Side] = ()) -> dict[Side, Grading]:
    """Read the features of one or both knees.

    Args:
        path: a JSON file: side (``R``, ``L``, ``right``, ``left``) to features, or features alone.
        sides: the knees that the film shows; features alone need exactly one.

    Returns:
        Side to grading, the right knee first.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        InputRefused: it is no JSON or has another shape, or `validate_grades` refuses the grades.
    """
    path = Path(path)
    name = f"features file {path.name}"
    content = _load(path, name)
    keys = [str(key).strip().upper() for key in content]
    if content and all(key in _SIDES for key in keys) and all(isinstance(value, Mapping) for value in content.values()):
        knees = [_SIDES[key] for key in keys]
        if len(set(knees)) != len(knees):
            raise InputRefused(name, "may hold each side once", "one side twice", _SHAPE)
        found: dict[Side, Mapping[str, object]] = dict(zip(knees, content.values(), strict=True))
    elif any(isinstance(value, (Mapping, list)) for value in content.values()):
        raise InputRefused(name, "must map sides to features, or features to grades", "another shape", _SHAPE)
    elif len(sides) != 1:
        raise InputRefused(name, "must say which knee it is about", f"a film of {len(sides)} known sides", _SHAPE)
    else:
        found = {sides[0]: content}
    return {
        side: validate_grades(found[side], source="features file", name=f"{name}, {side.word} knee")
        for side in Side
        if side in found
    }


def write_grading_file(path: Path, gradings: Mapping[Side, Grading]) -> Path:
    """Write the features of one or both knees so that `read_grading_file` returns them.

    Args:
        path: the file to be written; it appears whole or not at all.
        gradings: side to grading; unknown grades become null.

    Returns:
        `path`.

    Raises:
        UsageError: the file cannot be written.
    """
    content = {side.value: dict(gradings[side].grades) for side in Side if side in gradings}
    return write_whole(path, (json.dumps(content, indent=2) + "\n").encode())


def _load(path: Path, name: str) -> dict[str, Any]:
    """The JSON object in a file."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(name, "cannot be read", error.strerror or type(error).__name__) from error
    if len(raw) > MAX_BYTES:
        raise InputRefused(name, f"must have at most {MAX_BYTES} bytes", "more", _SHAPE)
    try:
        content = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise InputRefused(name, "must be JSON", _reason(error), _SHAPE) from None
    if not isinstance(content, dict):
        raise InputRefused(name, "must hold a JSON object", type(content).__name__, _SHAPE)
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; Python would silently keep the last of equal keys."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


def _constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON number")


def _reason(error: Exception) -> str:
    """What is wrong, without quoting the file."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, line {error.lineno} column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
