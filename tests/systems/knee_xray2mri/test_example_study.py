from __future__ import annotations

import pydicom
import pytest

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.knee.grading.report_reader import read_grading_report
from monai_xray2mri.simulation.knee.film.film import simulate_film
from monai_xray2mri.simulation.knee.film.film_dicom import film_dataset
from monai_xray2mri.simulation.knee.people.seeds import SHIFTED, TEST
from monai_xray2mri.systems.knee_xray2mri.example_study import EXAMPLE_SEED
from monai_xray2mri.types import Side


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "new"
    assert main(["example-study", "--output", str(folder)]) == ExitCode.DONE
    return folder


@pytest.fixture(scope="module")
def film():
    """The film that the study holds."""
    return simulate_film(EXAMPLE_SEED)


def test_study_is_a_film_and_a_report_per_knee(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["film.dcm", "gradings_left.dcm", "gradings_right.dcm"]


def test_example_knee_was_never_trained_on():
    assert EXAMPLE_SEED in TEST


def test_made_again_the_film_has_the_same_pixels_and_uids(folder, film):
    stored, again = pydicom.dcmread(folder / "film.dcm"), film_dataset(film)
    assert stored.PixelData == again.PixelData
    assert stored.SOPInstanceUID == again.SOPInstanceUID


@pytest.mark.parametrize("side", Side)
def test_report_holds_the_grades_and_belongs_to_the_film(folder, film, side):
    header = pydicom.dcmread(folder / "film.dcm", stop_before_pixels=True)
    report = read_grading_report(pydicom.dcmread(folder / f"gradings_{side.word}.dcm"), "report")
    assert set(report.gradings) == {side}
    assert dict(report.gradings[side].grades) == film.grades[side]
    assert report.final
    assert header.SOPInstanceUID in report.references
    assert report.study == header.StudyInstanceUID
    assert report.patient[0] == header.PatientID


def test_all_files_belong_to_one_patient_and_study(folder):
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in folder.iterdir()]
    assert len({header.PatientID for header in headers}) == len({header.StudyInstanceUID for header in headers}) == 1
    assert len({header.SeriesInstanceUID for header in headers}) == 3


def test_unknown_seed_is_refused_in_words(tmp_path, capsys):
    assert main(["example-study", "--output", str(tmp_path), "--seed", str(SHIFTED.stop)]) == ExitCode.INPUT_REFUSED
    assert "simulator seed" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
