"""Gradings from and to files.

JSON: ``{"R": {"XRKL": 2, ...}, "L": {...}}``, or the features of one knee alone. Tables (``.csv``, ``.tsv``, ``.txt``):
see :mod:`monai_xray2mri.knee.grading.csv_table`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.knee.grading.csv_table import SIDES, knees_of_table
from monai_xray2mri.knee.grading.features import validate_grades
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.types import Side

MAX_BYTES = 1_000_000
"""A features file has about 600 bytes; a larger one is something else."""

TABLES = frozenset({".csv", ".tsv", ".txt"})
"""Endings of tables; any other file is read as JSON."""

_SHAPE = 'Give {"R": {"XRKL": 2, ...}, "L": {...}}, or {"XRKL": 2, ...} for a film of one knee.'


def read_grading_file(path: Path, sides: Sequence[Side] = ()) -> dict[Side, Grading]:
    """Read the features of one or both knees.

    Args:
        path: a JSON file with side (``R``, ``L``, ``right``, ``left``) to features, or features alone; or a table with
            a line per knee.
        sides: the knees that the film shows; features without a side need exactly one.

    Returns:
        Side to grading, the right knee first.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        InputRefused: it is neither JSON nor a table of this shape, or `validate_grades` refuses the grades.
    """
    path = Path(path)
    name = f"features file {path.name}"
    text = _text(path, name)
    is_table = path.suffix.lower() in TABLES
    knees = knees_of_table(text, name) if is_table else _knees_of_json(text, name)
    if None in knees:
        if len(sides) != 1:
            raise InputRefused(name, "must say which knee it is about", f"a film of {len(sides)} known sides", _SHAPE)
        knees = {sides[0]: knees[None]}
    return {
        side: validate_grades(knees[side], source="features file", name=f"{name}, {side.word} knee")
        for side in Side
        if side in knees
    }


def _knees_of_json(text: str, name: str) -> dict[Side | None, dict[str, object]]:
    """Side to features; None where the file holds features alone."""
    content = _load(text, name)
    keys = [str(key).strip().upper() for key in content]
    if content and all(key in SIDES for key in keys) and all(isinstance(value, Mapping) for value in content.values()):
        knees = [SIDES[key] for key in keys]
        if len(set(knees)) != len(knees):
            raise InputRefused(name, "may hold each side once", "one side twice", _SHAPE)
        return {side: dict(features) for side, features in zip(knees, content.values(), strict=True)}
    if any(isinstance(value, (Mapping, list)) for value in content.values()):
        raise InputRefused(name, "must map sides to features, or features to grades", "another shape", _SHAPE)
    return {None: content}


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


def _text(path: Path, name: str) -> str:
    """The text of a file of bearable size."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(name, "cannot be read", error.strerror or type(error).__name__) from error
    if len(raw) > MAX_BYTES:
        raise InputRefused(name, f"must have at most {MAX_BYTES} bytes", "more", _SHAPE)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputRefused(name, "must be text in UTF-8", "it is not UTF-8", _SHAPE) from None


def _load(text: str, name: str) -> dict[str, Any]:
    """The JSON object in a text."""
    try:
        content = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
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
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
