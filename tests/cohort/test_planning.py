"""A plan says what a cohort will give, costs nothing twice, and binds nothing that was mistyped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monai_xray2mri.cohort import planning
from monai_xray2mri.cohort.planning import JOURNAL, MANIFEST, Manifest, Planning, plan_cohort
from monai_xray2mri.cohort.sources import Found
from monai_xray2mri.cohort.summary import summarize
from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.worker import Limits
from tests.cohort.conftest import Cohort, plan_rows
from tests.helpers.misbehaving_system import write_pictures


def test_a_plan_says_what_check_says_and_goes_on_where_it_stopped(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", "one", "two", "refused", "plan_crash")
    negative.plan(Limits(seconds=60))
    rows = plan_rows(negative)
    assert rows["one.png"]["status"] == "planned" and rows["one.png"]["cases"] == ["picture_0"]
    assert json.loads(str(rows["one.png"]["checks"])) == [{"file": "one.png"}]
    assert rows["one.png"]["cost"] > 10 and rows["refused.png"]["cost"] == 0
    assert rows["refused.png"]["rules"] == ["must not be called refused"]
    assert "killed by signal 11" in rows["plan_crash.png"]["refusals"][0]
    lines = (negative.output / JOURNAL).read_text().count("\n")

    with (negative.output / JOURNAL).open("a") as journal:
        journal.write('{"study": "cut o')  # a kill
    (tmp_path / "in" / "two.png").unlink()
    write_pictures(tmp_path / "in", "three", "one")  # one is another picture now
    negative.plan()
    rows = plan_rows(negative)
    assert rows.keys() == {"one.png", "three.png", "refused.png", "plan_crash.png"}
    assert len((negative.output / JOURNAL).read_text().splitlines()) == lines + 1 + 2  # the cut line, and two checks


def test_a_plan_of_other_options_is_refused(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", "one")
    negative.plan()
    other = Planning(negative.source, negative.bundle, {"least": 9})
    with pytest.raises(UsageError, match="plan of this output: options"):
        plan_cohort(other, negative.output)


def test_an_input_without_a_study_is_said_and_leaves_no_plan(negative: Cohort, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="input: must hold at least one study"):
        plan_cohort(Planning(str(tmp_path / "empty"), negative.bundle), negative.output)
    write_pictures(tmp_path / "in", "one")
    negative.plan()  # the mistyped input has not bound the output to itself
    before = (negative.output / MANIFEST).read_bytes()
    (tmp_path / "in" / "one.png").unlink()
    with pytest.raises(UsageError, match="input: must hold at least one study"):
        negative.plan()  # a disk that is not mounted takes no plan away
    assert (negative.output / MANIFEST).read_bytes() == before


@pytest.mark.parametrize("below", [".", "deeper"])
def test_an_output_that_cannot_be_a_folder_is_said(negative: Cohort, tmp_path: Path, below: str) -> None:
    write_pictures(tmp_path / "in", "one")
    (tmp_path / "out").write_text("a file")
    negative.output = tmp_path / "out" / below
    with pytest.raises(UsageError, match=r"output folder .*: must be a folder that can be made"):
        negative.plan()


def test_a_study_that_the_input_names_twice_is_checked_once(
    negative: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "in", "one")
    twice = [Found("abc", "one.png", ("one.png",))] * 2
    monkeypatch.setattr(planning, "find_studies", lambda *_: iter(twice))
    assert negative.plan().studies == 1
    assert (negative.output / JOURNAL).read_text().count('"abc"') == 1


def test_no_manifest_is_no_cohort(negative: Cohort, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"manifest\.parquet: must be there"):
        Manifest.open(tmp_path / MANIFEST)
    write_pictures(tmp_path / "in", "one")
    negative.plan()
    summarize(negative.output, "folders")
    with pytest.raises(UsageError, match="must be a manifest that xray2mri cohort-plan wrote"):
        Manifest.open(negative.output / "cases.parquet")
