"""Inputs as hospitals, vendors and people make them, each by the command line and by the app's planner: one answer.

The studies are ``shared/data/field`` beside the repository. A row says the exit code, which films are used, and what
has to be said. More of each kind is tested where the kind lives (tests/dicom, tests/radiograph, tests/knee/grading).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode, Xray2MRIError
from monai_xray2mri.systems.knee_xray2mri.system import SYSTEM


@dataclass(frozen=True)
class Expected:
    """What has to come of a study.

    Attributes:
        code: exit code.
        films: side to film, of the knees that are used.
        said: regular expressions that are found in the refusal, or in the remarks.
        options: of the request: ``{"side": "R"}``.
    """

    code: ExitCode = ExitCode.DONE
    films: tuple[tuple[str, str], ...] = (("right", "film.dcm"),)
    said: tuple[str, ...] = ()
    options: tuple[tuple[str, object], ...] = ()


FIELD = {
    # what changes a film's validity
    "rejected_by_kos": Expected(films=(("right", "1.dcm"),), said=(r"2\.dcm: rejected \(113001",)),
    "raw_and_processed_pair": Expected(films=(("right", "1.dcm"),), said=(r"2\.dcm: an image FOR PROCESSING",)),
    "derived_copy_exit8": Expected(films=(("right", "1.dcm"),), said=(r"2\.dcm",)),
    # films are not knees
    "lateral_without_view_exit8": Expected(films=(("right", "ap.dcm"),), said=(r"lat\.dcm",)),
    "cd_with_viewer_pictures": Expected(
        films=(("right", "DICOM/PAT0/ST0/SE0/IM0"),), said=("VIEWER/logo.png: a picture beside", "thumb.jpg")
    ),
    "no_study_uid_check_says_ok": Expected(ExitCode.INPUT_REFUSED, said=("needs a Study Instance UID",)),
    # bits
    "bits_stored_one_too_small": Expected(said=(r"values of 16 bits are used, Bits Stored .* says 15",)),
    "j2k_precision_above_bits_stored": Expected(said=(r"values of 12 bits are used, Bits Stored .* says 10",)),
    # tables and windows
    "voi_lut_12bit_in_16": Expected(said=(r"LUT Descriptor \(0028,3002\) says 16 bits, the entries have 12",)),
    "voi_lut_8bit_packed": Expected(),
    "window_width_0": Expected(said=(r"Window Width \(0028,1051\) 0\) is not applied",)),
    "voi_function_two_values": Expected(said=(r"VOI LUT Function \(0028,1056\) has 2 values",)),
    # sides
    "laterality_written_out": Expected(),
    "laterality_written_out_contradicts": Expected(
        ExitCode.INPUT_REFUSED,
        said=(r'ImageLaterality says left \("LEFT"\), SeriesDescription says right \("right"\)',),
    ),
    "spanish_leve_mild": Expected(),
    # values that stand for none
    "body_part_none": Expected(),
    "body_part_genu": Expected(),
    "imager_spacing_0_pixel_spacing_good": Expected(said=("ImagerPixelSpacing holds no spacing: PixelSpacing used",)),
    "dummy_dates_equal": Expected(said=("the patient's age is unknown",)),
    "patient_orientation_invalid": Expected(said=("Patient Orientation is no orientation",)),
    # reports of others
    "vendor_kl_report": Expected(said=(r"\(KL, 99VENDOR\) is not known; read as XRKL", r"\(JSW_MED, 99VENDOR\)")),
    # pictures and folders
    "jpeg_exif_mirrored/1000000L.jpg": Expected(
        ExitCode.INPUT_REFUSED, said=("must look like a left knee",), options=(("assume_spacing", True),)
    ),
    "jpeg_exif_mirrored/exif3_9003126R.jpg": Expected(
        films=(("right", "exif3_9003126R.jpg"),),
        said=("turned or mirrored as its EXIF orientation says",),
        options=(("side", "R"), ("assume_spacing", True)),
    ),
    "zip_only": Expected(ExitCode.INPUT_REFUSED, said=(r"study\.zip \(a zip archive\)", "Unpack")),
    # own results
    "own_result_report_without_0008001C": Expected(said=("1 result of an earlier synthesis",)),
}
"""Folder to what has to come of it."""

Answer = tuple[ExitCode, dict[str, Any], str]
"""Exit code, the record of what would happen, and the refusal where there is none."""


@pytest.fixture(scope="module")
def field(shared_data: Path) -> Path:
    folder = shared_data / "field"
    if not folder.is_dir():
        pytest.skip("the folder of inputs from the field (shared/data/field beside the repository) is absent")
    return folder


def by_command_line(study: Path, expected: Expected, capsys: pytest.CaptureFixture[str]) -> Answer:
    options = [f"--{name.replace('_', '-')}={value}" for name, value in expected.options if value is not True]
    options += [f"--{name.replace('_', '-')}" for name, value in expected.options if value is True]
    code = ExitCode(main(["check", str(study), *options]))
    told = capsys.readouterr()
    return code, json.loads(told.out) if told.out else {}, told.err.removeprefix("xray2mri: ").strip()


@pytest.fixture
def by_app(repository: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Expected], Answer]:
    """The app's operator that plans, outside of Holoscan's graph, and what its writer makes of the plan."""
    pytest.importorskip("holoscan", reason="the extra deploy is not installed")
    monkeypatch.syspath_prepend(repository / "app_package")
    from operators.plan_operator import PlanOperator

    def answer(study: Path, expected: Expected) -> Answer:
        request = SYSTEM.request(**dict(expected.options))
        run = SimpleNamespace(system=SYSTEM, source=study, request=request, bundle=bundle)
        emitted: list[Any] = []
        output = SimpleNamespace(emit=lambda plan, name: emitted.append(plan))
        try:
            PlanOperator.compute(SimpleNamespace(_run=run), None, output, None)
        except Xray2MRIError as error:
            return error.exit_code, {}, str(error)
        (plan,) = emitted
        record = {
            "knees": [case.record() for case in plan.cases],
            "refused": [str(refusal) for refusal in plan.refusals],
            "remarks": list(plan.remarks),
        }
        code = ExitCode.SOME_CASES_FAILED if plan.refusals else ExitCode.DONE
        return code, json.loads(json.dumps(record)), ""

    return answer


@pytest.mark.parametrize("name", FIELD)
def test_an_input_from_the_field_has_its_answer_by_command_line_and_app(
    field: Path, capsys: pytest.CaptureFixture[str], by_app: Callable[[Path, Expected], Answer], name: str
) -> None:
    expected = FIELD[name]
    code, record, refusal = answer = by_command_line(field / name, expected, capsys)
    assert code == expected.code, refusal
    knees = record.get("knees", [])
    if code == ExitCode.DONE:
        assert [(knee["side"], knee["radiograph"]) for knee in knees] == list(expected.films)
    said = "\n".join([refusal, *record.get("remarks", ()), *(remark for knee in knees for remark in knee["remarks"])])
    for words in expected.said:
        assert re.search(words, said), said
    assert by_app(field / name, expected) == answer
