"""Studies of one or two simulated knees, and their plans."""

from __future__ import annotations

from pathlib import Path

from pydicom import dcmread

from monai_xray2mri.core.system import Plan
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.knee.grading.report_writer import write_grading_report
from monai_xray2mri.systems.knee_xray2mri.case import KneeCase
from monai_xray2mri.systems.knee_xray2mri.options import KneeRequest
from monai_xray2mri.systems.knee_xray2mri.plan import plan_study, read_knee_study
from monai_xray2mri.types import Side
from tests.helpers.films import simulated_crop, write_film

GRADES = {"XRKL": 3, "XRJSM": 2, "XROSFM": 1}


SAME_STUDY = {"StudyInstanceUID": "1.2.3"}


def plan(study: Path, **options: object) -> Plan[KneeCase]:
    return plan_study(read_knee_study(study), KneeRequest(**options), 110.0)  # type: ignore[arg-type]


def report(film: Path, side: Side = Side.RIGHT, final: bool = True, **replaced: str) -> Path:
    header = dcmread(film)
    for keyword, value in replaced.items():
        setattr(header, keyword, value)
    path = film.parent / "report.dcm"
    return write_grading_report(path, {side: Grading(GRADES)}, header, final=final)


def two_films(folder: Path, **second: object) -> None:
    first = write_film(folder / "a.dcm", simulated_crop())
    same = {"StudyInstanceUID": dcmread(first).StudyInstanceUID}
    write_film(folder / "b.dcm", simulated_crop()[:, ::-1], "L", **(same | second))
