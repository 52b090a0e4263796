"""What lies in the result folder of a cohort, in each layout, and the table of its cases."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pyarrow.parquet as pq

from monai_xray2mri.cohort.summary import summarize
from monai_xray2mri.commands import cohort as commands
from monai_xray2mri.core.system import Outputs
from tests.cohort.conftest import Cohort, plan_rows, results_of
from tests.helpers.misbehaving_system import write_pictures


def test_archives_hold_the_same_files_and_are_equal_each_time(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", "a", "b")
    negative.plan()
    negative.run()
    folders = set(results_of(negative.output).values())
    shutil.rmtree(negative.output / "results")
    negative.run(layout="archives")
    archives = results_of(negative.output)
    assert len(archives) == 2 and all(name.endswith("/picture_0.zip") for name in archives)
    first = sorted((negative.output / "results").rglob("*.zip"))[0]
    with zipfile.ZipFile(first) as archive:
        assert archive.namelist() == ["picture_0/preview.png", "picture_0/report.json"]
        digest = hashlib.sha256(archive.read("picture_0/report.json")).hexdigest()
        assert digest in folders
    assert summarize(negative.output, "archives").status == {"done": 2}
    shutil.rmtree(negative.output / "results")
    negative.run(layout="archives")
    assert results_of(negative.output) == archives


def test_bids(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", "a")
    negative.plan()
    negative.run(layout="bids")
    (study,) = [str(row["study"]) for row in plan_rows(negative).values()]
    stem = f"results/sub-{study}/anat/sub-{study}_acq-picture0_desc-synthetic"
    assert set(results_of(negative.output)) == {
        "results/dataset_description.json", f"{stem}.json", f"{stem}_image.nii.gz",
    }  # fmt: skip
    assert negative.run(layout="bids") == []


def test_the_table_of_all_cases(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", "a", "b", "refused")
    negative.plan()
    assert summarize(negative.output, "folders").status == {"to do": 2, "refused": 1}
    negative.run(measure=True)
    counts = summarize(negative.output, "folders")
    assert counts.status == {"done": 2, "refused": 1}
    table = pq.read_table(negative.output / "cases.parquet").to_pylist()
    done = [row for row in table if row["status"] == "done"]
    assert sorted(json.loads(row["measures"])["mean_percent"] for row in done) == [96.078, 100.0]
    assert all((negative.output / row["result"]).is_dir() for row in done)
    with (negative.output / "cases.csv").open() as stream:
        assert [row["status"] for row in csv.DictReader(stream)] == [row["status"] for row in table]
    page = (negative.output / "summary.html").read_text()
    assert page.count("<img") == 2 and "must not be called refused" in page


def test_outputs_of_a_layout_keep_what_was_asked_for() -> None:
    from monai_xray2mri.cohort.layouts import LAYOUTS

    assert tuple(LAYOUTS) == commands._LAYOUTS  # the parser does not load what they need
    wanted = Outputs("none", sample_series=True)
    assert LAYOUTS["folders"].outputs(wanted) is wanted
    assert LAYOUTS["bids"].outputs(wanted) == Outputs("none", True, True, False)
