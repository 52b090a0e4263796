"""A folder of simulated feet, laid out as the pairs that SCCDM was trained on are: a folder a foot, two PNG in it.

::

    feet.json            what all of them were made with
    angles.csv           seed, angles and pixel size of each
    0000007/original.png the photograph, cut out (8 bits, red, green, blue)
    0000007/floor.png    the photograph with the floor
    0000007/xray.png     the radiograph (16 bits)
    0000007/bones.npz    outlines of the bones, by name [N,N] bool
    0000007/truth.json   keypoints, angles, pixel size, shape, skin, lights and camera
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import lock_folder, whole_directory, whole_file, write_whole
from monai_xray2mri.runtime.workers import Workers, with_progress
from monai_xray2mri.simulation.foot.foot import REGISTRATION_MM, VISIBILITY, SimulatedFoot, simulate_foot
from monai_xray2mri.simulation.foot.people import FOOT_SIMULATOR_VERSION, SEED_RANGES
from monai_xray2mri.simulation.foot.skeleton import KEYPOINTS

SETTINGS: Final = "feet.json"
ANGLES: Final = "angles.csv"
_COLUMNS: Final = ("seed", "hallux_valgus_deg", "intermetatarsal_deg", "pixel_mm")


@dataclass(frozen=True)
class FeetSettings:
    """What the feet of a folder have in common.

    Attributes:
        visibility: see :func:`~monai_xray2mri.simulation.foot.foot.simulate_foot`.
        registration_mm: likewise.
        simulator: version of the simulator.
    """

    visibility: float = VISIBILITY
    registration_mm: float = REGISTRATION_MM
    simulator: str = FOOT_SIMULATOR_VERSION


def feet_of(split: str, number: int) -> range:
    """The first seeds of a split.

    Raises:
        UsageError: no such split, or more feet than it has.
    """
    if split not in SEED_RANGES:
        raise UsageError("split of feet", f"must be one of {', '.join(SEED_RANGES)}", split)
    seeds = SEED_RANGES[split]
    if not 1 <= number <= len(seeds):
        raise UsageError("number of feet", f"must lie in 1 to {len(seeds)}", str(number))
    return seeds[:number]


def simulate_feet(
    directory: Path, seeds: Sequence[int], settings: FeetSettings, *, workers: int = 1, progress: bool = False
) -> int:
    """Simulate the feet that a folder does not hold yet. Equal settings give equal files.

    Args:
        directory: the folder; new, or of an earlier run with the same settings.
        seeds: of the feet.
        settings: of all of them.
        workers: number of processes; each computes on one thread.
        progress: show a progress bar on stderr.

    Returns:
        How many feet were simulated.

    Raises:
        UsageError: a seed or setting is out of range, the folder holds feet of other settings, or cannot be written.
    """
    directory = Path(directory)
    write_whole(directory / SETTINGS, _claimed(directory, settings))
    with lock_folder(directory):
        missing = [seed for seed in seeds if not (_folder(directory, seed) / "truth.json").is_file()]
        run = with_progress(Workers(workers), "foot", progress, len(seeds) - len(missing))
        with closing(run(partial(_write_foot, directory, settings), missing)) as done:
            simulated = sum(1 for _ in done)
        write_whole(directory / ANGLES, _angles(directory))
    return simulated


def _claimed(directory: Path, settings: FeetSettings) -> bytes:
    """The settings' file; refuses a folder of other settings."""
    content = json.dumps(asdict(settings), indent=2) + "\n"
    file = directory / SETTINGS
    if file.is_file() and (found := file.read_text(encoding="utf-8")) != content:
        raise UsageError(
            f"folder {directory.name}", f"must hold feet of the same settings {json.dumps(asdict(settings))}",
            found.replace("\n", ""), "Choose another folder.",
        )  # fmt: skip
    return content.encode()


def _folder(directory: Path, seed: int) -> Path:
    return directory / f"{seed:07d}"


def _write_foot(directory: Path, settings: FeetSettings, seed: int) -> None:
    foot = simulate_foot(seed, visibility=settings.visibility, registration_mm=settings.registration_mm)
    with whole_directory(_folder(directory, seed)) as draft:
        for name, picture in (("original", foot.cut_out), ("floor", foot.photograph)):
            Image.fromarray(np.rint(picture.transpose(1, 2, 0) * 255).astype(np.uint8)).save(draft / f"{name}.png")
        Image.fromarray(np.rint(foot.radiograph * 65535).astype(np.uint16)).save(draft / "xray.png")
        np.savez_compressed(draft / "bones.npz", allow_pickle=False, **foot.bones)
        with whole_file(draft / "truth.json") as file:  # last: a foot with its truth is complete
            file.write_text(json.dumps(truth_of(foot), indent=1) + "\n", encoding="utf-8")


def truth_of(foot: SimulatedFoot) -> dict[str, Any]:
    """What is true of a foot, ready for JSON; keypoints are (row, column) in pixels of the radiograph."""
    return {
        "seed": foot.seed,
        "side": "R",
        "hallux_valgus_deg": round(foot.hallux_valgus, 3),
        "intermetatarsal_deg": round(foot.intermetatarsal, 3),
        "pixel_mm": round(foot.pixel_mm, 5),
        "keypoints": {
            name: [round(float(v), 3) for v in point] for name, point in zip(KEYPOINTS, foot.keypoints, strict=True)
        },
        "shape": asdict(foot.shape),
        "camera": asdict(foot.camera),
    }


def _angles(directory: Path) -> bytes:
    """The table of all feet that the folder holds, by seed."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for file in sorted(directory.glob("[0-9]*/truth.json")):
        truth = json.loads(file.read_text(encoding="utf-8"))
        writer.writerow([truth[column] for column in _COLUMNS])
    return table.getvalue().encode()
