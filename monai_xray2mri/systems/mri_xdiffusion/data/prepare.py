"""``xray2mri prepare --layout volumes``: volumes of many patients to a training set, split by patient."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.runtime.workers import Workers, with_progress
from monai_xray2mri.systems.mri_xdiffusion.data.label_maps import painted_labels
from monai_xray2mri.systems.mri_xdiffusion.data.presets import PRESETS, Candidate, Preset, candidates
from monai_xray2mri.systems.mri_xdiffusion.data.store import SPLITS, VolumeStore
from monai_xray2mri.systems.mri_xdiffusion.volumes.cube import Cube, to_cube
from monai_xray2mri.systems.mri_xdiffusion.volumes.fastmri import read_fastmri
from monai_xray2mri.systems.mri_xdiffusion.volumes.reading import ReadVolume, read_volume, scaled_intensities

_BOUNDS: Final = ((0.8, "training"), (0.9, "validation"), (1.0, "test"))
"""X-Diffusion, section 5.1: 8:1:1."""
_SMALLEST: Final = 1 / 3
"""Share of the cube's side that a volume must reach along its longest axis."""


@dataclass(frozen=True)
class VolumeOptions:
    """How volumes are prepared.

    Attributes:
        preset: one of :data:`~monai_xray2mri.systems.mri_xdiffusion.data.presets.PRESETS`.
        size: D, voxels per side of the cube.
        side_mm: of the cube; None: the preset's.
        split_seed: another number makes another division.
        split: that all volumes belong to, such as ``"test"`` for foreign data; None: 8:1:1 by patient.
    """

    preset: str = "any"
    size: int = 96
    side_mm: float | None = None
    split_seed: int = 0
    split: str | None = None


@dataclass
class VolumeReport:
    """The outcome of a preparation.

    Attributes:
        options: of the preparation.
        splits: name of each prepared volume to its split.
        skipped: name of each volume that cannot be used to the reason.
        unwanted: image files that the preset does not want.
        remarks: on single volumes.
    """

    options: dict[str, Any]
    splits: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    unwanted: int = 0
    remarks: list[str] = field(default_factory=list)

    @property
    def counts(self) -> Counter[str]:
        """Volumes per split."""
        return Counter(self.splits.values())

    def text(self) -> str:
        """For people."""
        splits = ", ".join(f"{count} {split}" for split, count in sorted(self.counts.items())) or "none"
        lines = [f"Volumes prepared: {len(self.splits)} ({splits})", f"Image files of other kinds: {self.unwanted}"]
        lines += ["", f"Left out: {len(self.skipped)}", *(f"  {name}: {why}" for name, why in self.skipped.items())]
        lines += ["", "Remarks", *(f"  {remark}" for remark in self.remarks or ["none"])]
        return "\n".join(lines) + "\n"


def prepare_volumes(
    release: Path, output: Path, options: VolumeOptions, *, workers: int = 1, progress: bool = False
) -> VolumeReport:
    """Write a :class:`~monai_xray2mri.systems.mri_xdiffusion.data.store.VolumeStore`, and what was left out and why.

    Every volume is read before the set is made, because a set knows its volumes; it is read again when it is written.
    The same call goes on with a set that was interrupted.

    Args:
        release: folder of volumes, at any depth.
        output: folder of the set, outside of the release.
        options: how.
        workers: number of processes that read; this one writes.
        progress: show progress bars on stderr.

    Returns:
        What was used and what was not; it is also in ``report.json`` and ``report.txt`` of the output.

    Raises:
        UsageError: a folder is missing or cannot be written, the output holds another set, or the side is not known.
        InputRefused: no volume can be used.
    """
    preset, side_mm = _checked(release, output, options)
    report = VolumeReport({**asdict(options), "side_mm": side_mm})
    found = list(candidates(release, preset))
    wanted = [candidate for candidate in found if candidate.wanted]
    report.unwanted = len(found) - len(wanted)
    reading = _Reading(preset, side_mm, options.size)
    usable: dict[str, Candidate] = {}
    with closing(with_progress(Workers(workers), "volume", progress)(reading.look, wanted)) as looks:
        for candidate, look in zip(wanted, looks, strict=True):
            if isinstance(look, str):
                report.skipped[candidate.name] = look
                continue
            patient, remarks = look
            usable[candidate.name] = candidate
            report.splits[candidate.name] = options.split or split_of(patient, options.split_seed)
            report.remarks += remarks
    if not usable:
        nothing = f"{len(report.skipped)} that cannot be used, {report.unwanted} of other kinds"
        raise InputRefused("release", f"must hold volumes of the preset {preset.name}", nothing, _first(report.skipped))
    store = VolumeStore.of_cubes(
        output, list(report.splits), list(report.splits.values()), options.size, side_mm,
        source=f"prepared volumes, preset {preset.name}", split_seed=options.split_seed,
    )  # fmt: skip
    missing = [(row, candidate) for row, candidate in enumerate(usable.values()) if not store.done[row]]
    run = with_progress(Workers(workers), "cube", progress, len(usable) - len(missing))
    with closing(run(reading.cube, [candidate for _, candidate in missing])) as cubes:
        for (row, _), cube in zip(missing, cubes, strict=True):
            store.write_cube(row, cube)
    write_whole(output / "report.json", (json.dumps(asdict(report), indent=1) + "\n").encode())
    write_whole(output / "report.txt", report.text().encode())
    return report


def split_of(patient: str, seed: int = 0) -> str:
    """The split of a patient, 8:1:1; it depends on nothing else, so that it stays when a release grows."""
    digest = hashlib.sha256(f"volumes/{seed}/{patient}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return next(name for bound, name in _BOUNDS if place < bound)


def _checked(release: Path, output: Path, options: VolumeOptions) -> tuple[Preset, float]:
    if options.preset not in PRESETS:
        raise UsageError("option preset", f"must be one of: {', '.join(PRESETS)}", options.preset)
    if options.split is not None and options.split not in SPLITS:
        raise UsageError("option split", f"must be one of: {', '.join(SPLITS)}", options.split)
    preset = PRESETS[options.preset]
    side_mm = options.side_mm or preset.side_mm
    if side_mm is None:
        raise UsageError("option side", "must be given", "none", "Name the side of the cube in mm: --side 160.")
    if not release.is_dir():
        raise UsageError("option release", "must be a folder", release.name)
    if output.resolve().is_relative_to(release.resolve()):
        raise UsageError("option output", "must lie outside of the release", output.name)
    return preset, side_mm


@dataclass(frozen=True)
class _Reading:
    """How each volume is read, in whatever process.

    Attributes:
        preset: of the release.
        side_mm: of the cube.
        size: D.
    """

    preset: Preset
    side_mm: float
    size: int

    def look(self, candidate: Candidate) -> tuple[str, list[str]] | str:
        """Patient and remarks of a volume, or why it cannot be used."""
        try:
            _, patient, remarks = self._read(candidate)
        except InputRefused as error:
            return str(error)
        return patient, remarks

    def cube(self, candidate: Candidate) -> Cube:
        """The volume in its cube."""
        return self._read(candidate)[0]

    def _read(self, candidate: Candidate) -> tuple[Cube, str, list[str]]:
        """The cube of a volume, its patient, and remarks."""
        read, patient = _volume(candidate, self.preset)
        lengths = zip(reversed(read.volume.voxels.shape), read.volume.spacing, strict=True)
        longest, side_mm = max(count * step for count, step in lengths), self.side_mm
        if longest < _SMALLEST * side_mm:
            rule = f"must be {_SMALLEST * side_mm:.0f} mm long at least"
            raise InputRefused(read.name, rule, f"{longest:.0f} mm")
        remarks = [f"{candidate.name}: {remark}" for remark in read.remarks]
        if longest > side_mm * 1.001:
            remarks.append(f"{candidate.name}: {longest:.0f} mm were cropped to the cube's {side_mm:.0f} mm")
        volume = painted_labels(read.volume, read.name) if self.preset.labels else scaled_intensities(read.volume)
        return to_cube(volume, side_mm, self.size), patient, remarks


def _volume(candidate: Candidate, preset: Preset) -> tuple[ReadVolume, str]:
    if preset.name == "fastmri":
        return read_fastmri(candidate.path)
    try:
        read = read_volume(candidate.path)
    except UsageError as error:
        raise InputRefused(candidate.name, "must be readable", str(error)) from error
    header = read.headers[0] if read.headers else None
    named = str(header.get("PatientID", "")) if header is not None else ""
    return read, named or preset.patient_of(candidate.name)


def _first(skipped: dict[str, str]) -> str:
    reasons: Iterable[str] = skipped.values()
    return next((f"The first: {reason}" for reason in reasons), "")
