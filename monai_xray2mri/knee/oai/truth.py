"""Reads the additional files of a simulated release: its seed range, and the true boxes of the knees on its films."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.oai.release import TRUTH_FOLDER
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES
from monai_xray2mri.types import Box, Side

_SETTINGS: Final = "release.json"
_TRUTH_FILE: Final = "truth.json"


def release_settings(release: Path) -> dict[str, Any]:
    """The settings of a simulated release; empty for a real one, which has no ``release.json``.

    Raises:
        InputRefused: ``release.json`` is damaged or lacks the seed range.
    """
    path = release / _SETTINGS
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        settings: dict[str, Any] = dict(content)
        if settings["split"] not in SEED_RANGES:
            raise ValueError("unknown seed range")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputRefused(
            f"simulated release {release.name}",
            "needs a readable release.json, which tells whether its knees may train a model",
            type(error).__name__,
            "Make the release again.",
        ) from None
    return settings


def truth_file(release: Path, participant: str) -> Path:
    """Path of the truth of a participant in a simulated release."""
    return release / TRUTH_FOLDER / participant / _TRUTH_FILE


def true_box(release: Path, participant: str, side: Side, shape: tuple[int, ...]) -> Box | None:
    """The box of a knee on its film from the truth file of a simulated release; None if there is no such file.

    Args:
        release: folder of the release.
        participant: participant number of seven digits.
        side: side of the knee.
        shape: (rows, columns) of the film in the usual display.

    Raises:
        InputRefused: the truth file is damaged, or belongs to another film.
    """
    path = truth_file(release, participant)
    if not path.is_file():
        return None
    what = f"truth file of {participant}"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        told, stored = record["knees"][side.value]["box"], record["film"]["shape"]
        box = Box(*(float(told[name]) for name in ("top", "left", "rows", "columns")))
    except (OSError, ValueError, KeyError, TypeError):
        raise InputRefused(what, "must hold the box of the knee", "a damaged file", "Make the release again.") from None
    if tuple(stored) != tuple(shape):
        raise InputRefused(what, "must be of the film that is there", f"{stored} against {list(shape)} pixels")
    return box
