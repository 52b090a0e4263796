"""How results lie in the output of a cohort: a folder per case, one archive per case, or NIfTI with a JSON file.

A result of 50 slices is more than 50 files: 4.7 million for 86,000 knees. The other layouts have one or two.
Whatever the layout, a result is there whole or not at all: it is made in a draft beside, then renamed.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from monai_xray2mri import __version__
from monai_xray2mri.core.system import Outputs
from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import write_whole

_BEGIN_OF_ZIP: Final = (1980, 1, 1, 0, 0, 0)
RESULTS: Final = "results"


@dataclass(frozen=True)
class Layout:
    """How one result is put in its place.

    Attributes:
        name: on the command line.
        help: one line for people.
        place: (study, case) to the path below the output whose existence says that the result is done.
        put: moves a result folder, a draft, to that path; the draft may be left or gone.
        needs_nifti: whether results must hold NIfTI files.
    """

    name: str
    help: str
    place: Callable[[str, str], Path]
    put: Callable[[Path, Path], None]
    needs_nifti: bool = False

    def outputs(self, wanted: Outputs) -> Outputs:
        """What a result must be saved with."""
        if not self.needs_nifti:
            return wanted
        return Outputs(wanted.label, True, wanted.sample_series, wanted.parametric_map)


def _folder(study: str, case: str) -> Path:
    """``results/3f/3f2a.../knee_right``: no folder holds more than some thousand others."""
    return Path(RESULTS) / study[:2] / study / case


def _put_folder(draft: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    draft.replace(place)


def _archive(study: str, case: str) -> Path:
    return _folder(study, case).with_suffix(".zip")


def _put_archive(draft: Path, place: Path) -> None:
    """All files, stored without compression (volumes and pages are compressed already), in order, without times."""
    packed = draft.with_suffix(".zip")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(path for path in draft.rglob("*") if path.is_file()):
            name = (Path(place.stem) / file.relative_to(draft)).as_posix()
            archive.writestr(zipfile.ZipInfo(name, _BEGIN_OF_ZIP), file.read_bytes())
    _put_folder(packed, place)


def _bids(study: str, case: str) -> Path:
    """``results/sub-3f2a.../anat/sub-3f2a..._acq-kneeright_desc-synthetic.json``; its volumes lie beside it."""
    subject, label = _alphanumeric(study), _alphanumeric(case)
    return Path(RESULTS) / f"sub-{subject}" / "anat" / f"sub-{subject}_acq-{label}_desc-synthetic.json"


def _alphanumeric(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())


def _put_bids(draft: Path, place: Path) -> None:
    """The volumes, then the JSON file, which says that all are there."""
    volumes = sorted(draft.glob("*.nii.gz"))
    if not volumes:
        raise UsageError("layout bids", "needs results with NIfTI files", "none", "Choose another layout.")
    root = place.parent.parent.parent
    described = root / "dataset_description.json"
    if not described.exists():
        about = {
            "Name": "Synthetic images", "BIDSVersion": "1.10.0", "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "monai_xray2mri", "Version": __version__}],
        }  # fmt: skip
        write_whole(described, json.dumps(about, indent=2).encode())
    place.parent.mkdir(parents=True, exist_ok=True)
    for volume in volumes:
        part = volume.name.removesuffix(".nii.gz").replace("_", "")
        volume.replace(place.with_name(f"{place.stem}_{part}.nii.gz"))
    (draft / "report.json").replace(place)


LAYOUTS: Final = {
    layout.name: layout
    for layout in (
        Layout("folders", "the result folder as xray2mri synthesize writes it", _folder, _put_folder),
        Layout("archives", "one zip archive per case, without compression", _archive, _put_archive),
        Layout("bids", "NIfTI with a JSON file each, in BIDS-like names", _bids, _put_bids, needs_nifti=True),
    )
}
