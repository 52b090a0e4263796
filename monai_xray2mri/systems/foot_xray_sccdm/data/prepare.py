"""``xray2mri prepare --layout pairs``: photographs and radiographs of feet to pairs that training reads.

A release is a folder for each foot, at any depth, with one picture ``original*`` and one ``xray*`` (PNG or JPEG), as
the released code of SCCDM expects it. Three things may have been done to it, and what was not done is done here: the
foot cut out of the photograph, both pictures registered, both brought into the frame of
:mod:`monai_xray2mri.photograph`.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.photograph.foot.grid import GRID, sample
from monai_xray2mri.photograph.foot.prepare import feet_of
from monai_xray2mri.photograph.reading import read_photograph
from monai_xray2mri.runtime.files import lock_folder, whole_directory
from monai_xray2mri.runtime.workers import Workers, with_progress
from monai_xray2mri.simulation.foot.people import split_of as simulated_split
from monai_xray2mri.systems.foot_xray_sccdm.data.division import PairsReport, patient_of, side_of_name, split_of
from monai_xray2mri.systems.foot_xray_sccdm.data.pairs import FLOOR
from monai_xray2mri.systems.foot_xray_sccdm.data.registration import (
    film_outline,
    frame_of_outline,
    overlap,
    registered,
)
from monai_xray2mri.systems.foot_xray_sccdm.keypoints.detector import find_all_keypoints
from monai_xray2mri.systems.foot_xray_sccdm.pictures import is_own_picture
from monai_xray2mri.types import Side

LEAST_OVERLAP: Final = 0.80
"""Dice coefficient of both outlines below which they are not those of one foot."""
DONE_OVERLAP: Final = 0.90
"""Dice coefficient from which on two cut-out pictures of one size count as registered."""
_BLACK: Final = 8
_CUT_OUT: Final = 0.15
"""Share of a photograph that is black where the foot was cut out."""
_SUFFIXES: Final = (".png", ".jpg", ".jpeg")
_SURE: Final = 0.1
"""By how much the mean confidence of keypoints must be higher on one side than on the other."""
_TRUTH: Final = "truth.json"


@dataclass(frozen=True)
class _Pair:
    """Both pictures in one frame: color [256,256,3] uint8, film [256,256] float32; side and remarks."""

    color: np.ndarray
    film: np.ndarray
    side: Side
    how: str
    overlap: float
    remarks: tuple[str, ...] = ()


def prepare_pairs(
    release: Path,
    output: Path,
    *,
    split_seed: int = 0,
    force: bool = False,
    workers: int = 1,
    progress: bool = False,
) -> PairsReport:
    """Write pairs that :func:`~monai_xray2mri.systems.foot_xray_sccdm.data.pairs.read_pairs` reads.

    ::

        report.json, report.txt       what was used, what was left out and why
        training/NAME/original.png    the photograph [256,256,3], black beside the foot
        training/NAME/xray.png        the radiograph [256,256], 16 bits
        training/NAME/pair.json       side, how the pair was brought together, overlap of its outlines

    Feet of ``xray2mri simulate-feet`` are taken as they are, into the split of their seed, with the photograph before
    its foot was cut out. The same call goes on with
    what was interrupted.

    Args:
        release: folder of the feet, at any depth.
        output: folder of the pairs, outside of the release.
        split_seed: another number makes another division.
        force: take photographs that a check doubts.
        workers: number of processes.
        progress: show a progress bar on stderr.

    Returns:
        What was used and what was not.

    Raises:
        UsageError: a folder is missing or cannot be written, or the output holds pairs of another division.
        InputRefused: no pair can be used.
    """
    folders = list(_folders(_checked(release, output)))
    report = PairsReport(split_seed)
    output.mkdir(parents=True, exist_ok=True)
    names = Counter(_name(folder, release) for folder in folders)
    with lock_folder(output):
        _claim(output, report)
        single = [folder for folder in folders if names[_name(folder, release)] == 1]
        work = partial(_attempt, release=release, output=output, seed=split_seed, force=force)
        with closing(with_progress(Workers(workers), "pair", progress)(work, single)) as outcomes:
            for folder, outcome in zip(single, outcomes, strict=True):
                name = _name(folder, release)
                if isinstance(outcome, str):
                    report.skipped[name] = outcome
                    continue
                report.splits[name], remarks = outcome
                report.remarks += [f"{name}: {remark}" for remark in remarks]
        rule = "must have a name of its own, with / written as -"
        for name, number in names.items():
            if number > 1:
                refusal = InputRefused(f"pair {name}", rule, f"{number} folders of this name", "Rename all but one.")
                report.skipped[name] = str(refusal)
        report.write(output)
    if not report.splits:
        first = next(iter(report.skipped.items()), None)
        reason = f"The first one: {first[0]}: {first[1]}" if first else ""
        raise InputRefused(
            "release", "must hold pairs of pictures original* and xray*", f"{len(folders)} unfit", reason
        )
    return report


def _checked(release: Path, output: Path) -> Path:
    if not release.is_dir():
        raise UsageError("option release", "must be a folder", release.name)
    if output.resolve().is_relative_to(release.resolve()):
        raise UsageError("option output", "must lie outside of the release", output.name)
    return release


def _claim(output: Path, report: PairsReport) -> None:
    """Refuse a folder that holds a division by another seed; note the seed, so that an interrupted run has it."""
    file = output / "report.json"
    if not file.is_file():
        report.write(output)
    elif json.loads(file.read_text(encoding="utf-8")).get("split_seed") != report.split_seed:
        raise UsageError(
            "option output", "must hold pairs of the same --split-seed", output.name, "Name another folder."
        )


def _folders(release: Path) -> Iterator[Path]:
    """Folders that hold a picture of a pair."""
    for folder in sorted({file.parent for file in release.rglob("*") if file.suffix.lower() in _SUFFIXES}):
        if _pictures(folder, "original") or _pictures(folder, "xray"):
            yield folder


def _pictures(folder: Path, start: str) -> list[Path]:
    return sorted(
        file
        for file in folder.iterdir()
        if file.name.lower().startswith(start) and file.suffix.lower() in _SUFFIXES and file.is_file()
    )


def _name(folder: Path, release: Path) -> str:
    """Name of a pair: the path of its folder, with hyphens."""
    parts = folder.relative_to(release).parts or (folder.name,)
    return "-".join(parts)


def _attempt(folder: Path, release: Path, output: Path, seed: int, force: bool) -> tuple[str, tuple[str, ...]] | str:
    """Write one pair; its split and remarks, or why it cannot be used."""
    try:
        return _prepared(folder, _name(folder, release), output, seed, force)
    except InputRefused as error:
        return str(error)


def _prepared(folder: Path, name: str, output: Path, seed: int, force: bool) -> tuple[str, tuple[str, ...]]:
    """Write one pair, unless it is there; its split, and remarks."""
    seed_of_foot = _simulated_seed(folder)
    if seed_of_foot is None:
        split = split_of(patient_of(name), seed)
    else:
        split = simulated_split(seed_of_foot)
        split = "training" if split == "calibration" else split
    target = output / split / name
    record = target / "pair.json"
    if record.is_file():
        return split, tuple(json.loads(record.read_text(encoding="utf-8"))["remarks"])
    photograph, film = _both(folder, name)
    if seed_of_foot is not None:
        facts: dict[str, Any] = {"side": "R", "how": "simulated", "overlap": None, "remarks": []}
        with whole_directory(target) as draft:
            shutil.copyfile(photograph, draft / "original.png")
            shutil.copyfile(film, draft / "xray.png")
            if (folder / FLOOR).is_file():
                shutil.copyfile(folder / FLOOR, draft / FLOOR)
            (draft / "pair.json").write_text(json.dumps(facts) + "\n", encoding="utf-8")
        return split, ()
    pair = _pair(photograph, film, name, force)
    facts = {"side": pair.side.value, "how": pair.how, "overlap": round(pair.overlap, 3), "remarks": list(pair.remarks)}
    with whole_directory(target) as draft:
        Image.fromarray(pair.color).save(draft / "original.png")
        Image.fromarray(np.rint(pair.film.clip(0, 1) * 65535).astype(np.uint16)).save(draft / "xray.png")
        (draft / "pair.json").write_text(json.dumps(facts) + "\n", encoding="utf-8")
    return split, pair.remarks


def _simulated_seed(folder: Path) -> int | None:
    """The seed of a foot that ``xray2mri simulate-feet`` wrote; None of another."""
    try:
        return int(json.loads((folder / _TRUTH).read_text(encoding="utf-8"))["seed"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _both(folder: Path, name: str) -> tuple[Path, Path]:
    """The two pictures of a folder."""
    found = []
    for start, word in (("original", "photograph"), ("xray", "radiograph")):
        pictures = _pictures(folder, start)
        if len(pictures) != 1:
            raise InputRefused(f"pair {name}", f"needs one {word} {start}*.png", f"{len(pictures) or 'none'} of them")
        if is_own_picture(pictures[0]):
            raise InputRefused(
                f"pair {name}", f"needs a {word} that was taken", "a result of this software, which is synthetic",
                "Give the picture that it was made from.",
            )  # fmt: skip
        found.append(pictures[0])
    return found[0], found[1]


def _pair(photograph: Path, film_file: Path, name: str, force: bool) -> _Pair:
    """Bring both pictures of a foot into one frame."""
    told = {side_of_name(text) for text in (name, photograph.stem, film_file.stem)} - {None}
    if len(told) > 1:
        raise _mixed(name, "names of both sides")
    side = told.pop() if told else None
    taken = read_photograph(photograph, name=f"{name}/{photograph.name}")
    film, remarks = _film(film_file, name)
    outline = film_outline(film)
    cut = taken.pixels.max(2) > _BLACK
    if taken.pixels.shape[:2] == film.shape and 1 - cut.mean() >= _CUT_OUT:
        frame = frame_of_outline(cut)
        color, film_view, mask, film_mask = _views(taken.pixels, film, outline, frame, frame)
        if (agree := overlap(mask, film_mask)) >= DONE_OVERLAP:
            return _turned(_Pair(color, film_view, side or Side.RIGHT, "as it was", agree, remarks), side, name)
    foot = feet_of(taken, side=side, force=force)
    if len(foot) != 1:
        raise InputRefused(f"pair {name}", "must show one foot on its photograph", "both feet")
    start = frame_of_outline(outline[:, ::-1] if foot[0].side is Side.LEFT else outline)
    shown = film[:, ::-1] if foot[0].side is Side.LEFT else film
    covered = outline[:, ::-1] if foot[0].side is Side.LEFT else outline
    frame, agree = registered(covered, start, foot[0].mask)
    if agree < LEAST_OVERLAP:
        raise InputRefused(
            f"pair {name}", f"must show one foot: outlines that agree by {LEAST_OVERLAP:g} or more (Dice)",
            f"{agree:.2f}", "Check that photograph and radiograph belong together.",
        )  # fmt: skip
    film_view = _sampled(shown, frame)
    if _film_side(film_view, name) is Side.LEFT:
        raise _mixed(name, f"a {foot[0].side.word} foot on the photograph, another on the radiograph")
    more = (*remarks, *foot[0].doubts)
    return _Pair(foot[0].color, film_view, foot[0].side, "cut out and registered here", agree, more)


def _mixed(name: str, found: str) -> InputRefused:
    return InputRefused(
        f"pair {name}", "must show one side of the body on both pictures", found, "Sort the pictures by their side."
    )


def _film(file: Path, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """A radiograph [H,W] float32 in [0,1], bone bright, and remarks."""
    try:
        with Image.open(file) as picture:
            picture.load()
            deep = picture.mode.startswith("I")
            values = np.asarray(picture if deep else picture.convert("L")).astype(np.float32)
            if not deep and picture.has_transparency_data:
                values *= np.asarray(picture.convert("RGBA"))[..., 3] >= 128  # what is hidden there is often white
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise InputRefused(f"pair {name}", "needs a radiograph that can be read", "one that is damaged") from None
    if min(values.shape) < 64 or float(np.ptp(values)) == 0:
        raise InputRefused(f"pair {name}", "needs a radiograph of a foot", "an empty or tiny picture")
    whole = 255 if not deep else 4095 if values.max() <= 4095 else 65535  # films of 12 bits are often stored in 16
    film = values / whole
    border = np.concatenate((film[0], film[:, 0], film[:, -1]))
    if float(np.median(border)) > 0.6:
        return 1 - film, ("the radiograph was inverted: its border is bright",)
    return film, ()


def _views(
    pixels: np.ndarray, film: np.ndarray, outline: np.ndarray, frame: np.ndarray, film_frame: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Photograph, radiograph and both outlines in the grid."""
    color, on = sample(pixels, frame, GRID)
    color = color * on[..., None]
    view = _sampled(film, film_frame)
    return (
        np.rint(color).clip(0, 255).astype(np.uint8),
        view,
        color.max(2) > _BLACK,
        _sampled(outline.astype(np.float32), film_frame) > 0.5,
    )


def _sampled(film: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """A radiograph [256,256] in a frame; beyond it is black."""
    values, on = sample(film, frame, GRID)
    return np.asarray(values * on, dtype=np.float32)


def _film_side(view: np.ndarray, name: str) -> Side:
    """The side of a radiograph in the frame, by where keypoints are found with more confidence.

    Raises:
        InputRefused: on neither side.
    """
    given, mirrored = (
        float(found.confidence.mean()) for found in find_all_keypoints([view, np.ascontiguousarray(view[:, ::-1])])
    )
    if abs(given - mirrored) < _SURE:
        rule = "must show which foot it is: bones on its radiograph, or L or R in its name"
        raise InputRefused(
            f"pair {name}", rule, f"confidence {given:.2f} as a right foot, {mirrored:.2f} as a left one"
        )
    return Side.RIGHT if given > mirrored else Side.LEFT


def _turned(pair: _Pair, side: Side | None, name: str) -> _Pair:
    """A pair as one of a right foot."""
    side = side or _film_side(pair.film, name)
    if side is Side.RIGHT:
        return pair
    color, film = np.ascontiguousarray(pair.color[:, ::-1]), np.ascontiguousarray(pair.film[:, ::-1])
    return _Pair(color, film, side, pair.how, pair.overlap, (*pair.remarks, "a left foot: mirrored"))
