"""Writes one participant of a release so that an interrupted run can be continued.

The images are written first, into one folder that appears whole or not at all. The truth is written last, into another
folder, with a manifest of the size and SHA-256 of every file. A participant without a manifest, or with files of other
sizes, is made again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydicom import Dataset

from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.uids import encoded
from monai_xray2mri.runtime.files import whole_directory
from monai_xray2mri.simulation.knee.film.film import simulate_film
from monai_xray2mri.simulation.knee.knee import simulate_knee
from monai_xray2mri.simulation.knee.people.participants import Participant
from monai_xray2mri.simulation.knee.release.film_dicom import film_image
from monai_xray2mri.simulation.knee.release.layout import DRAFTS, ParticipantPlaces, file_name, places
from monai_xray2mri.simulation.knee.release.mr_dicom import mr_images
from monai_xray2mri.simulation.knee.release.oddities import draw_oddities
from monai_xray2mri.simulation.knee.release.settings import ReleaseSettings, film_options
from monai_xray2mri.simulation.knee.release.truth_files import write_truth
from monai_xray2mri.types import Side

MANIFEST: Final = "manifest.json"
_BLOCK: Final = 1 << 20


def write_participant(root: Path, participant: Participant, settings: ReleaseSettings) -> None:
    """Simulate a participant and write images and truth; they replace files of an interrupted run.

    Args:
        root: folder of the release.
        participant: the participant.
        settings: settings of the release.

    Raises:
        UsageError: a file cannot be written.
    """
    where = places(participant)
    _remove(root, where)
    oddities = draw_oddities(participant.seed, settings.oddities)
    with quiet(), whole_directory(root / where.images) as draft:  # first, to fail early if it cannot write
        knee = simulate_knee(
            participant.seed, participant.grades[Side.RIGHT], settings.visibility, device=settings.device
        )
        film = simulate_film(
            participant.seed,
            participant.grades,
            settings.visibility,
            options=film_options(settings, participant.seed),
        )
        series = mr_images(knee, participant, matrix=settings.mr_matrix, anterior_first=oddities.anterior_first)
        _write_series(draft / where.film.relative_to(where.images), [film_image(film, participant, oddities)])
        _write_series(draft / where.mr.relative_to(where.images), series)
    with whole_directory(root / where.truth) as draft:
        write_truth(draft, knee, film, participant, settings, where, oddities)
        _write_manifest(root, where, draft, settings)


def is_complete(root: Path, participant: Participant, settings: ReleaseSettings, *, thorough: bool = False) -> bool:
    """Whether all files of a participant are there and unchanged.

    Args:
        root: folder of the release.
        participant: the participant.
        settings: settings of the release; files of other settings do not count.
        thorough: also compare the SHA-256 of every file, not only its size.
    """
    where = places(participant)
    try:
        manifest = json.loads((root / where.truth / MANIFEST).read_text(encoding="utf-8"))
        if manifest["settings"] != settings.fingerprint():
            return False
        files: dict[str, dict[str, object]] = manifest["files"]
        return bool(files) and all(
            (root / name).stat().st_size == entry["bytes"] and (not thorough or _sha256(root / name) == entry["sha256"])
            for name, entry in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # missing, cut off, or of another program
        return False


def remove_drafts(root: Path) -> None:
    """Remove unfinished files and folders of killed runs.

    Args:
        root: folder of the release; only the folders of a release are searched.
    """
    for folder in (
        root,
        *root.glob("truth"),
        *root.glob("[0-9]*m"),
        *root.glob("[0-9]*m/*"),
        *root.glob("*_ASCII/**/"),
    ):
        for draft in folder.glob(DRAFTS):
            if draft.is_dir():
                shutil.rmtree(draft, ignore_errors=True)
            else:
                draft.unlink(missing_ok=True)


def _write_series(folder: Path, images: list[Dataset]) -> None:
    """Write images as ``001``, ``002`` ... into a folder of an unfinished participant."""
    folder.mkdir(parents=True)
    for number, image in enumerate(images, start=1):
        (folder / file_name(number)).write_bytes(encoded(image))


def _write_manifest(root: Path, where: ParticipantPlaces, draft: Path, settings: ReleaseSettings) -> None:
    """Write the manifest of the images, which are in their folder, and of the truth, which is still in the draft."""
    entries = {path.as_posix(): root / path for path in _images(root, where)}
    entries |= {(where.truth / path.name).as_posix(): path for path in draft.iterdir()}
    files = {name: {"bytes": path.stat().st_size, "sha256": _sha256(path)} for name, path in sorted(entries.items())}
    manifest = {"settings": settings.fingerprint(), "files": files}
    (draft / MANIFEST).write_text(json.dumps(manifest, indent=0) + "\n", encoding="utf-8")


def _images(root: Path, where: ParticipantPlaces) -> Iterator[Path]:
    """Image files of a participant, relative to the release."""
    for folder in (where.film, where.mr):
        for path in (root / folder).iterdir():
            yield folder / path.name


def _remove(root: Path, where: ParticipantPlaces) -> None:
    """Remove the files of a participant; the truth first, because it marks the images as complete."""
    for folder in (where.truth, where.images):
        shutil.rmtree(root / folder, ignore_errors=True)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
