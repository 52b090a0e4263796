"""``xray2mri report``: written from files and tables, read by the package itself."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydicom import dcmread

from monai_xray2mri.cli import main
from monai_xray2mri.core.system import Plan
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.radiograph.knee.roi import KneeROI
from monai_xray2mri.systems.knee_xray2mri.case import KneeCase
from monai_xray2mri.systems.knee_xray2mri.gradings import add_gradings
from monai_xray2mri.systems.knee_xray2mri.options import KneeRequest
from monai_xray2mri.systems.knee_xray2mri.plan import read_knee_study, require_films
from monai_xray2mri.types import Box, Radiograph, Side
from tests.helpers.films import write_film

OAI = {"PatientID": "9000296", "AccessionNumber": "016600593103"}


@pytest.fixture
def film(tmp_path):
    picture = np.random.default_rng(3).random((299, 299), dtype=np.float32)
    return write_film(tmp_path / "study" / "film.dcm", picture, **OAI)


def grading(folder, **options) -> Grading:
    """What the right knee of the study's film is given; where it lies does not matter here."""
    study = read_knee_study(folder)
    pixels = np.zeros((299, 299), np.float32)
    radiograph = Radiograph(pixels, None, "none", (Side.RIGHT,), "", "film.dcm", dataset=require_films(study)[0].header)
    plan = Plan((KneeCase(radiograph, KneeROI(Side.RIGHT, Box(0, 0, 299, 299), pixels, 110.0, "whole image")),))
    return add_gradings(plan, study, KneeRequest(**options)).cases[0].grading


def call(*arguments):
    return main(["report", *map(str, arguments)])


@pytest.mark.parametrize("name", ["features.json", "features.csv", "kXR_SQ_BU00.txt"])
def test_a_report_from_any_source_is_read_back(tmp_path, film, capsys, name):
    source = tmp_path / name
    source.write_text(
        {
            "features.json": '{"R": {"XRKL": 3, "XRJSM": null}}',
            "features.csv": "SIDE,XRKL,XRJSM\nR,3,.\n",
            "kXR_SQ_BU00.txt": "ID|SIDE|READPRJ|V00BARCDBU|V00XRKL|V00XRJSM\n9000296|1|15|016600593103|3|.A\n",
        }[name]
    )
    option = "--oai-table" if name.endswith(".txt") else "--features"
    output = film.parent / "sr.dcm"
    assert call(film, output, option, source, "--reader", "Doe^Ann", "--written", "2026-11-21T10:30") == ExitCode.DONE
    answer = json.loads(capsys.readouterr().out)
    assert (answer["report"], answer["final"]) == (str(output), True)
    assert answer["features"]["R"]["XRKL"] == 3 and answer["features"]["R"]["XRJSM"] is None
    written = dcmread(output)
    assert (written.ContentDate, written.ContentTime, written.PreliminaryFlag) == ("20261121", "103000", "FINAL")
    assert written.PatientID == OAI["PatientID"]


def test_the_study_then_has_its_features(tmp_path, film, capsys):
    (tmp_path / "f.csv").write_text("XRKL\n2\n")
    assert call(film.parent, film.parent / "sr.dcm", "--features", tmp_path / "f.csv", "--preliminary") == 0
    assert json.loads(capsys.readouterr().out)["final"] is False
    used = grading(film.parent)
    assert (used.source, used.grades["XRKL"]) == ("structured report", 2)
    assert "preliminary" in " ".join(used.remarks)


@pytest.mark.parametrize(
    ("features", "options", "words"),
    [
        ('{"L": {"XRKL": 1}}', [], "only knees that the film shows"),
        ('{"L": {"XRKL": 1}}', ["--side", "R"], "needs the grading of at least one knee"),
        ('{"R": {"XRFOO": 1}}', [], "XRFOO"),
    ],
)
def test_what_is_not_of_the_film_is_refused(tmp_path, film, capsys, features, options, words):
    (tmp_path / "f.json").write_text(features)
    output = tmp_path / "sr.dcm"
    assert call(film, output, "--features", tmp_path / "f.json", *options) == ExitCode.INPUT_REFUSED
    said = capsys.readouterr()
    assert words in said.err and said.out == ""
    assert not output.exists()


def test_a_study_of_two_films_needs_the_name_of_one(tmp_path, film, capsys):
    study = {"StudyInstanceUID": dcmread(film).StudyInstanceUID} | OAI
    write_film(film.with_name("b.dcm"), np.zeros((8, 8), np.float32), "L", **study)
    (tmp_path / "f.json").write_text('{"L": {"XRKL": 1}}')
    arguments = (tmp_path / "sr.dcm", "--features", tmp_path / "f.json")
    assert call(film.parent, *arguments) == ExitCode.INPUT_REFUSED
    assert "2 of them" in capsys.readouterr().err
    assert call(film.with_name("b.dcm"), *arguments) == ExitCode.DONE


def test_a_table_is_the_fallback_of_the_report_and_marked(tmp_path, film):
    table = tmp_path / "kXR_SQ_BU00.txt"
    table.write_text("ID|SIDE|READPRJ|V00BARCDBU|V00XRKL\n9000296|1|15|016600593103|3\n")
    used = grading(film.parent, oai_table=table)
    assert (used.source, used.grades["XRKL"]) == ("OAI reading", 3)
    assert used.remarks[0] == "OAI table kXR_SQ_BU00.txt: used for the right knee, which nothing else grades"
    table.write_text(table.read_text().replace("9000296", "9000297"))
    used = grading(film.parent, oai_table=table, estimate=False)
    assert used.source == "missing" and "does not hold the right knee" in used.remarks[0]
    (tmp_path / "f.csv").write_text("XRKL\n2\n")
    call(film, film.with_name("sr.dcm"), "--features", tmp_path / "f.csv", "-q")
    used = grading(film.parent, oai_table=table)
    assert (used.source, used.grades["XRKL"]) == ("structured report", 2)
