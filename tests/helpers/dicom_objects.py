"""What the tests of DICOM objects share: the header of a film, and the conformance checker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import ComputedRadiographyImageStorage

from monai_xray2mri.dicom.product import Origin
from monai_xray2mri.systems.knee_xray2mri.products import knee_product
from monai_xray2mri.types import Side, Volume

KNOWN_ERROR = "Error - Attribute with an even group number is not a recognized standard attribute - (0x0008,0x001c)"
"""About Synthetic Data (0008,001C), which Debian's dicom3tools of 2022 does not know."""

WEIGHTS = "0123456789abcdef" * 4
PROVENANCE = {
    "weights_sha256": WEIGHTS,
    "version": "1.2.3",
    "model": "knee_xray2mri",
    "options": {"seed": 5, "steps": 20, "sampler": "ddim"},
    "remarks": ["features unknown"],
}
RIGHT, LEFT = (knee_product(side) for side in (Side.RIGHT, Side.LEFT))
"""What the tests write."""


def origin(header: Dataset, report: Dataset | None = None, **replaced: object) -> Origin:
    """A result of a film; keywords replace or add entries of the provenance."""
    return Origin(header, PROVENANCE | replaced, report)


def small(volume: Volume, slices: int = 2) -> Volume:
    """The first slices of a volume, for tests that do not look at geometry."""
    return replace(volume, voxels=volume.voxels[:slices])


def film_header(**replaced: object) -> Dataset:
    """Header of a bilateral CR film; keywords replace or add attributes, None removes them."""
    film = Dataset()
    attributes: dict[str, object] = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": ComputedRadiographyImageStorage,
        "SOPInstanceUID": "1.2.826.0.1.1.1",
        "SeriesInstanceUID": "1.2.826.0.1.1",
        "StudyInstanceUID": "1.2.826.0.1",
        "Modality": "CR",
        "Rows": 1024,
        "Columns": 1280,
        "ImagerPixelSpacing": [0.2, 0.3],
        "PatientOrientation": ["L", "F"],
        "PatientName": "Doe^Jane",
        "PatientID": "P-17",
        "PatientBirthDate": "19550203",
        "PatientSex": "F",
        "StudyDate": "20160504",
        "StudyTime": "093000",
        "AccessionNumber": "016600000001",
        "StudyID": "S7",
    } | replaced
    for keyword, value in attributes.items():
        if value is not None:
            setattr(film, keyword, value)
    return film


def program(name: str, package: str) -> str:
    """A command of a Debian package; the test is skipped where it is absent."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} (Debian package {package}) is not installed")
    return found


@pytest.fixture(scope="session")
def dciodvfy() -> Callable[[Path], list[str]]:
    """Errors that dicom3tools' dciodvfy finds, but for the known one."""
    command = program("dciodvfy", "dicom3tools")

    def check(path: Path) -> list[str]:
        done = subprocess.run([command, str(path)], capture_output=True, text=True, errors="replace", check=False)
        lines = done.stderr.splitlines()
        assert lines, "dciodvfy said nothing at all"
        return [line for line in lines if line.startswith("Error") and not line.startswith(KNOWN_ERROR)]

    return check


def played_with_orthanc(script: str, *arguments: str, timeout: float = 900) -> dict[str, Any]:
    """What a script of this folder prints, as JSON, in a network namespace of its own with the program Orthanc.

    Orthanc 1.10 listens on every address; in the namespace there is nobody to listen to but the script. Where Orthanc
    or such a namespace cannot be had, the test is skipped.
    """
    program("Orthanc", "orthanc")
    namespace = [program("unshare", "util-linux"), "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no network namespace, without which Orthanc would listen to everyone")
    helpers = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": str(helpers.parents[1]), "OMP_NUM_THREADS": "1"}
    command = [*namespace, sys.executable, str(helpers / script), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def held_by_orthanc(folder: Path) -> dict[str, Any]:
    """What an Orthanc of its own holds after it was given every DICOM file of a folder, see `orthanc_session`."""
    return played_with_orthanc("orthanc_session.py", program("Orthanc", "orthanc"), str(folder), timeout=300)
