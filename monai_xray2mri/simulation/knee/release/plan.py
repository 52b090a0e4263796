"""The checks before a release is made: which participants are complete, and whether there is enough disk space."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.simulation.knee.film.film_frame import plate_shape
from monai_xray2mri.simulation.knee.mri import mr
from monai_xray2mri.simulation.knee.people.participants import Participant
from monai_xray2mri.simulation.knee.release.layout import NOTICE, SETTINGS
from monai_xray2mri.simulation.knee.release.settings import ReleaseSettings, film_options
from monai_xray2mri.simulation.knee.release.writer import is_complete

_BLOCK: Final = 4096  # a file takes whole blocks of the disk
_HEADER_BYTES: Final = 2048
_TRUTH_BYTES: Final = 300_000  # compressed labels and lesions, JSON and manifest, measured
_TABLE_BYTES: Final = 2048  # of all tables, per participant
_RESERVE_BYTES: Final = 64 << 20
_SAMPLE: Final = 500  # participants whose sizes are computed one by one

NOTICE_TEXT: Final = (
    "Simulated knees in the shape of an OAI release. Nobody in it is real: participants, numbers, dates and readings\n"
    "are drawn at random, images are computed from a model of the knee. Not for clinical use. Not made, endorsed or\n"
    "distributed by the Osteoarthritis Initiative. release.json says with which settings and simulator version it\n"
    "was made; truth/ holds what is known about each knee.\n"
)


@dataclass(frozen=True)
class ReleasePlan:
    """What a run will do.

    Attributes:
        remaining: participants that will be made.
        complete: number of participants that are complete already.
        needed_bytes: disk space that the remaining participants need.
        free_bytes: free disk space.
    """

    remaining: tuple[Participant, ...]
    complete: int
    needed_bytes: int
    free_bytes: int

    def __str__(self) -> str:
        """One sentence for the user."""
        there = f"{self.complete} complete, " if self.complete else ""
        rest = in_number(len(self.remaining), "knee")
        needed, free = in_words(self.needed_bytes), in_words(self.free_bytes)
        return f"{there}{rest} to simulate: about {needed} of disk, {free} free"


def participant_bytes(settings: ReleaseSettings, seed: int) -> int:
    """Disk space of one participant in bytes, correct to a few percent.

    Args:
        settings: the release's.
        seed: the participant's seed, on which the size of the film depends.
    """
    rows, columns = plate_shape(film_options(settings, seed).pixel_mm)
    film = _in_blocks(rows * columns * 2 + _HEADER_BYTES)
    series = mr.SLICES * _in_blocks(settings.mr_matrix**2 * 2 + _HEADER_BYTES)
    return film + series + _TRUTH_BYTES + _TABLE_BYTES


def needed_bytes(settings: ReleaseSettings, participants: Sequence[Participant]) -> int:
    """Disk space of participants in bytes; for many participants from the mean of a sample.

    Args:
        settings: settings of the release.
        participants: participants that will be made.
    """
    sample = participants[:: max(1, len(participants) // _SAMPLE)]
    total = sum(participant_bytes(settings, one.seed) for one in sample)
    return math.ceil(total / len(sample) * len(participants)) if sample else 0


def plan_release(
    root: Path, settings: ReleaseSettings, participants: tuple[Participant, ...], *, thorough: bool = False
) -> ReleasePlan:
    """Find the participants that are missing, and check that the disk has space for them.

    Args:
        root: folder of the release.
        settings: settings of the release.
        participants: all participants of the release.
        thorough: also compare the SHA-256 of every file of earlier runs, not only its size.

    Raises:
        UsageError: there is not enough disk space.
    """
    remaining = tuple(who for who in participants if not is_complete(root, who, settings, thorough=thorough))
    needed = needed_bytes(settings, remaining)
    free = shutil.disk_usage(root).free
    if remaining and free < needed + _RESERVE_BYTES:
        raise UsageError(
            f"output folder {root.name}",
            f"needs about {in_words(needed)} of disk for {in_number(len(remaining), 'knee')}",
            f"{in_words(free)} free",
            f"Make room, choose another disk, or ask for fewer knees: one takes {in_words(needed // len(remaining))}.",
        )
    return ReleasePlan(remaining, len(participants) - len(remaining), needed, free)


def make_folder(root: Path) -> Path:
    """Make the folder of the release if it is missing, and return it.

    Raises:
        UsageError: it is a file, or cannot be made.
    """
    root = Path(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found = "a file" if root.exists() else error.strerror or type(error).__name__
        raise UsageError(
            f"output {root.name}", "must be a folder that can be made", found, "Choose another."
        ) from error
    return root


def claim(root: Path, settings: ReleaseSettings) -> None:
    """Write the settings into the folder, or check that an earlier run had the same.

    Args:
        root: folder of the release.
        settings: settings of the release; ``knees`` may be larger than that of an earlier run, but not smaller.

    Raises:
        UsageError: the folder cannot be written, or holds something else.
    """
    what = f"output folder {root.name}"
    if (root / SETTINGS).exists():
        _check_same(what, _read_settings(root, what), settings)
        return
    if any(not entry.name.endswith(".part") for entry in root.iterdir()):
        raise UsageError(
            what, "must be empty or hold a release that was begun", f"files but no {SETTINGS}", "Choose another folder."
        )
    write_whole(root / NOTICE, NOTICE_TEXT.encode())
    save_settings(root, settings, complete=False)


def save_settings(root: Path, settings: ReleaseSettings, *, complete: bool, failed: tuple[int, ...] = ()) -> None:
    """Write ``release.json``.

    Args:
        root: folder of the release.
        settings: settings of the release.
        complete: whether all participants and the tables are there.
        failed: seeds that could not be simulated.
    """
    record = {**settings.as_record(), "complete": complete, "failed_seeds": list(failed)}
    write_whole(root / SETTINGS, (json.dumps(record, indent=2) + "\n").encode())


def in_words(count: int) -> str:
    """A number of bytes as text: ``"14.3 GB"``."""
    for unit, size in (("TB", 10**12), ("GB", 10**9)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 10**6:.0f} MB"


def in_number(count: int, thing: str) -> str:
    """A number of things as text: ``"1 knee"``, ``"2,000 knees"``."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def _read_settings(root: Path, what: str) -> dict[str, Any]:
    try:
        record = json.loads((root / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = None
    if not isinstance(record, dict):
        raise UsageError(
            what, "must hold a release of this program", f"an unreadable {SETTINGS}", "Choose another folder."
        )
    return record


def _check_same(what: str, found: dict[str, Any], settings: ReleaseSettings) -> None:
    for name, value in settings.as_record().items():
        if name == "knees":
            if isinstance(found.get(name), int) and found[name] > value:
                raise UsageError(
                    what,
                    "holds more knees than asked for",
                    f"{found[name]}",
                    "Ask for as many, or choose another folder.",
                )
        elif found.get(name) != value:
            raise UsageError(
                what,
                f"holds another release, whose {name.replace('_', ' ')} is not {value}",
                str(found.get(name)),
                "Choose another folder, or the settings of that release.",
            )


def _in_blocks(count: int) -> int:
    return -(-count // _BLOCK) * _BLOCK
