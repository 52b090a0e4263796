"""Which files of a release are volumes to train on, and whose they are.

=============== ====================================================================== ==============================
preset          volumes                                                                patient
=============== ====================================================================== ==============================
``any``         NIfTI, NRRD and MetaImage files, and every folder of DICOM files       Patient ID, or the first
                                                                                       folder, or the file's name
``brats``       FLAIR of BraTS: names ending in ``flair`` or ``t2f``                   number in the name
``ixi``         T1 of IXI: names ending in ``-T1``                                     number in the name
``mni152``      the T1 template of nilearn, ``mni_icbm152_t1_tal_nlin_sym_09a``         one
``fastmri``     single-coil and multi-coil knees of fastMRI: HDF5                      ``patient_id`` of the file
``knee_labels`` label maps of segmented knees, painted                                 as ``any``
                (:mod:`~monai_xray2mri.systems.mri_xdiffusion.data.label_maps`)
=============== ====================================================================== ==============================

X-Diffusion counts 5,880 files of 1,470 patients in its split of BraTS: those are four sequences of each. Here the unit
of a split is the patient.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_IMAGE: Final = re.compile(r"\.(nii|nii\.gz|nrrd|nhdr|mha|mhd)$", re.IGNORECASE)
_HDF5: Final = re.compile(r"\.h5$", re.IGNORECASE)


@dataclass(frozen=True)
class Preset:
    """What is wanted of a release.

    Attributes:
        name: as ``--preset`` names it.
        wanted: of the names of image files.
        patient: finds the patient in the name of a file; None: the first folder, or the name.
        side_mm: side of the cube that its volumes fit into; None: must be given.
        dicom: whether folders of DICOM files are wanted, too.
        labels: whether volumes are label maps, which are painted.
    """

    name: str
    wanted: re.Pattern[str]
    patient: re.Pattern[str] | None = None
    side_mm: float | None = None
    dicom: bool = False
    labels: bool = False

    def patient_of(self, name: str) -> str:
        """The patient of the file at a place under the release."""
        path = Path(name)
        if self.patient is not None and (found := self.patient.search(path.name)):
            return found[0].lower()
        return path.parts[0] if len(path.parts) > 1 else _IMAGE.sub("", path.name)


PRESETS: Final[Mapping[str, Preset]] = {
    preset.name: preset
    for preset in (
        Preset("any", _IMAGE, dicom=True),
        Preset(
            "brats",
            re.compile(r"(flair|t2f)\.nii(\.gz)?$", re.IGNORECASE),
            re.compile(r"BraTS(\d*_(Training_|Validation_)?\d+|-[A-Z]+-\d+)", re.IGNORECASE),
            240.0,
        ),
        Preset("ixi", re.compile(r"-T1\.nii(\.gz)?$", re.IGNORECASE), re.compile(r"IXI\d+", re.IGNORECASE), 256.0),
        Preset("mni152", re.compile(r"^mni_icbm152_t1_.*\.nii\.gz$"), re.compile(r"^mni_icbm152"), 240.0),
        Preset("fastmri", _HDF5, side_mm=160.0),
        Preset("knee_labels", _IMAGE, side_mm=160.0, labels=True),
    )
}
"""Presets by name."""


@dataclass(frozen=True)
class Candidate:
    """A file or a folder that may be a volume.

    Attributes:
        path: where it is.
        name: its place under the release.
        wanted: whether the preset wants it.
    """

    path: Path
    name: str
    wanted: bool


def candidates(release: Path, preset: Preset) -> Iterator[Candidate]:
    """Volumes of a release in the order of their names: wanted ones, and image files that the preset does not want.

    A folder counts as one of DICOM files where it holds files of other kinds than images.
    """
    for folder in sorted({release, *(path for path in release.rglob("*") if path.is_dir())}):
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        images = [path for path in files if _IMAGE.search(path.name) or _HDF5.search(path.name)]
        for path in images:
            yield Candidate(path, path.relative_to(release).as_posix(), bool(preset.wanted.search(path.name)))
        if preset.dicom and any(path.suffix.lower() in ("", ".dcm", ".ima") for path in set(files) - set(images)):
            yield Candidate(folder, folder.relative_to(release).as_posix(), True)
