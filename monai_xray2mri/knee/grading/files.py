"""Gradings from and to files.

JSON: ``{"R": {"XRKL": 2, ...}, "L": {...}}``, or the features of one knee alone. Tables (``.csv``, ``.tsv``, ``.txt``):
see :mod:`monai_xray2mri.knee.grading.csv_table`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.grading.csv_table import SIDES, knees_of_table
from monai_xray2mri.knee.grading.features import validate_grades
from monai_xray2mri.knee.grading.json_files import json_object, text_of_file
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.types import Side

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
    text = text_of_file(path, name, _SHAPE)
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
    content = json_object(text, name, _SHAPE)
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
