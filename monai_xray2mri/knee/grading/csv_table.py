"""Gradings from tables with one knee per line: a column ``SIDE`` and one column per feature under its OAI name."""

from __future__ import annotations

import csv
import re

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.types import Side

SHAPE = "Give a first line SIDE,XRKL,XRJSM,... and one line per knee; SIDE may be left out if there is one line."

SIDES = {"R": Side.RIGHT, "RIGHT": Side.RIGHT, "1": Side.RIGHT, "L": Side.LEFT, "LEFT": Side.LEFT, "2": Side.LEFT}
"""Side by its spelling in capitals; OAI's tables write 1 and 2, or ``1: Right`` and ``2: Left``."""

_OAI_COLUMNS = frozenset({"ID", "READPRJ"})
_DELIMITERS = ",;|\t"


def knees_of_table(text: str, name: str) -> dict[Side | None, dict[str, object]]:
    """The features of each line of a table.

    Args:
        text: lines with ``,``, ``;``, ``|`` or tabulator between fields, the first one with names.
        name: how messages call the table.

    Returns:
        Side to features; None stands for the side where a table of one line does not tell it.

    Raises:
        InputRefused: no header or no line, a line of another length, a name or side twice, a side that is none, or the
            table of a whole OAI release.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        raise InputRefused(name, "must hold a line of names and a line per knee", f"{len(lines)} lines", SHAPE)
    try:
        header, *rows = csv.reader(lines, delimiter=max(_DELIMITERS, key=lines[0].count))
    except csv.Error:
        raise InputRefused(name, "must be a table", "a field that does not end", SHAPE) from None
    columns = [column.strip().upper() for column in header]
    if _OAI_COLUMNS & set(columns):
        raise InputRefused(
            name, "must grade the knees of one film", "a table of participants", "Give it as --oai-table."
        )
    if len(set(columns)) != len(columns):
        raise InputRefused(name, "may hold each column once", "a name twice", SHAPE)
    knees: dict[Side | None, dict[str, object]] = {}
    for number, fields in enumerate(rows, start=2):
        if len(fields) != len(columns):
            raise InputRefused(
                name, f"must have {len(columns)} fields in every line", f"{len(fields)} in line {number}", SHAPE
            )
        features: dict[str, object] = dict(zip(columns, (text.strip() for text in fields), strict=True))
        side = _side(features.pop("SIDE"), name, number) if "SIDE" in features else None
        if side in knees:
            raise InputRefused(name, "must tell a side per line, each once", f"line {number} repeats one", SHAPE)
        knees[side] = features
    return knees


def _side(value: object, name: str, line: int) -> Side:
    spelled = re.split(r"[:.]", str(value))[0].strip().upper()
    if spelled not in SIDES:
        raise InputRefused(
            name, "must name the side as R, L, right, left, 1 or 2", f"another text in line {line}", SHAPE
        )
    return SIDES[spelled]
