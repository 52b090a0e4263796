"""Inputs as hospitals, vendors and people make them, each by the command line and by the app's planner: one answer.

A row says the exit code, which films are used, and what has to be said. More of each kind is tested where it lives
(tests/dicom, tests/radiograph, tests/knee/grading).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode, Xray2MRIError
from monai_xray2mri.systems.knee_xray2mri.system import SYSTEM
from tests.helpers.field import FIELD, Expected

Answer = tuple[ExitCode, dict[str, Any], str]
"""Exit code, the record of what would happen, and the refusal where there is none."""


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
    for words in (*expected.said, *expected.beside):
        assert re.search(words, said), said
    assert by_app(field / name, expected) == answer
