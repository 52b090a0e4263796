"""Inputs as hospitals, vendors and people make them, by the task of MONAI Label: the answer of the command line.

A client asks for one film. The task sees it with the reports and rejection notes of its study, not with other films.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from monai_xray2mri.errors import ExitCode, Xray2MRIError
from monai_xray2mri.systems.knee_xray2mri.system import SYSTEM
from tests.helpers.field import FIELD, Expected

pytest.importorskip("monailabel", reason="MONAI Label has an environment of its own: make test-label")

from monai_xray2mri.label.task import SynthesisTask


@pytest.fixture(scope="module")
def task(bundle: Path) -> SynthesisTask:
    """The task with a predictor that is never asked to predict."""
    predictor = SimpleNamespace(name="tiny", resolve=lambda **options: SimpleNamespace(record=dict))
    return SynthesisTask(SimpleNamespace(system=SYSTEM, predictor=predictor, bundle=bundle), None)


def asked(task: SynthesisTask, film: Path, expected: Expected) -> tuple[ExitCode, list[tuple[str, str]], str]:
    """Exit code of the refusal, side and film of the cases, and what is said."""
    try:
        cases = task.cases(film, {**dict(expected.options), "estimate": False})
    except Xray2MRIError as refusal:
        return refusal.exit_code, [], str(refusal)
    records = [case.record() for case in cases]
    said = "\n".join(remark for record in records for remark in record["remarks"])
    return ExitCode.DONE, [(record["side"], Path(record["radiograph"]).name) for record in records], said


@pytest.mark.parametrize("name", FIELD)
def test_a_film_from_the_field_has_its_answer(field: Path, task: SynthesisTask, name: str) -> None:
    expected, study = FIELD[name], field / name
    for side, file in expected.films:
        film = study if study.is_file() else study / (file if expected.code == ExitCode.DONE else only(study))
        code, films, said = asked(task, film, expected)
        assert code == expected.code, said
        assert films == ([(side, film.name)] if code == ExitCode.DONE else [])
        for words in expected.said:
            assert re.search(words, said), said


def only(study: Path) -> str:
    (file,) = study.iterdir()
    return file.name


def test_a_rejected_film_is_refused_although_it_was_asked_for(field: Path, task: SynthesisTask) -> None:
    code, _, said = asked(task, field / "rejected_by_kos" / "2.dcm", Expected())
    assert code == ExitCode.INPUT_REFUSED and "rejected (113001" in said
