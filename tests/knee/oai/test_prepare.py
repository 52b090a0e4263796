"""From a release to training data: what is written, what is left out and why, interruption, growth, processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from monai.data import load_decathlon_datalist
from monai.transforms import LoadImaged

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.knee.data.arrays import KneeStore
from monai_xray2mri.knee.data.jitter import NO_JITTER, network_view
from monai_xray2mri.knee.grading.features import FEATURES
from monai_xray2mri.knee.oai.intensity import PERCENTILE, REFERENCE_LEVEL, RULE
from monai_xray2mri.knee.oai.prepare import PrepareOptions, prepare_release
from monai_xray2mri.knee.oai.report import PrepareReport
from monai_xray2mri.knee.oai.splits import split_of
from monai_xray2mri.systems.knee_xray2mri.transforms import LoadKneeRegiond
from tests.knee.oai.conftest import NUMBER, OTHER, Release, mr_images, phantom, write_series


def prepare(release: Release, output: Path, **options: object) -> PrepareReport:
    """Prepare a release."""
    return prepare_release(release.root, output, PrepareOptions(**options))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def prepared(whole_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole release, prepared."""
    output = tmp_path_factory.mktemp("prepared") / "data"
    report = prepare_release(whole_release, output)
    assert report.broken == [] and len(report.used) == 1
    return output


def add_participant(release: Release, number: str = OTHER, series: str = "00600001") -> None:
    """A second participant in whom nothing is wrong."""
    release.add_film(number, series)
    release.add_mr(number, f"1{series[1:]}")
    release.add_reading(number, V00BARCDBU=f"166{series}")
    release.write_readings()
    release.add_truth(number)


def test_the_volume_lies_where_the_scanner_had_it(prepared: Path, whole_release: Path) -> None:
    volume = SimpleITK.ReadImage(str(prepared / "knees" / f"{NUMBER}R" / "mri.nii.gz"))
    folder = next(whole_release.glob("00m/*/*/*/1*"))
    source = SimpleITK.ReadImage(list(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))))
    assert volume.GetSize() == (256, 256, 50)
    voxels = SimpleITK.GetArrayFromImage(volume)
    factor = json.loads((prepared / "knees" / f"{NUMBER}R" / "knee.json").read_text())["mri"]["intensity_factor"]
    for index in ((5, 5, 3), (200, 128, 25), (250, 250, 49)):
        place = source.TransformPhysicalPointToIndex(volume.TransformIndexToPhysicalPoint(index))
        assert voxels[index[::-1]] == round(min(source[place] * factor, 1) * 255)


def test_the_modeled_slices_are_13_to_62_from_the_posterior_end(prepared: Path) -> None:
    slices = KneeStore.open(prepared / "store").array("slices")[0]
    stored = phantom().astype(np.float32)[13:63]
    expected = np.clip(stored * REFERENCE_LEVEL / np.percentile(stored, PERCENTILE), 0, 1)
    np.testing.assert_allclose(slices, expected * 255, atol=0.51)


def test_the_store_says_what_it_holds(prepared: Path) -> None:
    store = KneeStore.open(prepared / "store")
    assert store.done.all() and store.index["source"] == "oai"
    assert store.index["knees"] == [f"{NUMBER}R"] and store.index["splits"] == [split_of(NUMBER)]
    assert store.index["intensity"] == RULE
    features = store.array("features")[0]
    starts = dict(zip([f.stem for f in FEATURES], np.cumsum([0, *(f.width for f in FEATURES)]), strict=False))
    assert features.sum() == 19
    assert features[starts["XRKL"] + 2] == 1 and features[starts["XRJSM"] + 1] == 1 and features[starts["XROSFL"]] == 1


def test_the_radiograph_in_the_store_is_the_region_of_the_png(prepared: Path) -> None:
    knee = prepared / "knees" / f"{NUMBER}R"
    wide = KneeStore.open(prepared / "store").array("radiographs")[0]
    box = NO_JITTER.draw(np.random.default_rng(0))
    seen = network_view(wide, box)
    loaded = LoadKneeRegiond("image", assume_spacing=True)({"image": str(knee / f"{NUMBER}R.png")})["image"]
    assert loaded.meta["side"] == "R"
    assert np.abs(np.asarray(loaded[0]) - seen).mean() < 0.01


def test_monai_reads_the_list_and_the_files(prepared: Path) -> None:
    split = split_of(NUMBER)
    (item,) = load_decathlon_datalist(prepared / "dataset.json", is_segmentation=True, data_list_key=split)
    assert item["features"]["XRKL"] == 2 and item["participant"] == NUMBER and item["side"] == "R"
    loaded = LoadImaged(keys=["image", "label"], ensure_channel_first=True)(item)
    assert loaded["image"].shape == (1, 299, 299)
    assert loaded["label"].shape == (1, 256, 256, 50)
    content = json.loads((prepared / "dataset.json").read_text())
    assert [content[key] for key in ("numTraining", "numValidation", "numTest")].count(1) == 1
    assert not Path(content[split][0]["image"]).is_absolute()


def test_the_reports_tell_what_was_used(prepared: Path) -> None:
    report = json.loads((prepared / "report.json").read_text())
    assert report["knees"] == 1 and report["broken"] == 0 and report["skipped"] == []
    assert report["used"][0]["sources"]["box"] == "truth"
    assert report["counts"]["bilateral films"] == 1
    text = (prepared / "report.txt").read_text()
    assert "Knees prepared: 1" in text and "Written" in text


def test_figure_4_is_written(prepared: Path) -> None:
    counts = (prepared / "figure4a_slice_counts.csv").read_text().splitlines()
    assert counts == ["group,sequence,slices,series", "T1,COR_T1_3D_FLASH_RIGHT,80,1"]
    gray = (prepared / "figure4b_grey_values.csv").read_text().splitlines()
    assert len(gray) == 81 and gray[1].startswith("0.0000,0,") and gray[-1].startswith("1.0000,79,")
    means = [float(line.split(",")[2]) for line in gray[1:]]
    assert means[-1] > means[0]  # the phantom is brighter in front


def test_a_second_run_keeps_what_is_there(release: Release, tmp_path: Path) -> None:
    prepare(release, tmp_path / "out")
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "knees").rglob("*")}
    store = (tmp_path / "out" / "store" / "slices.npy").stat()
    prepare(release, tmp_path / "out")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "knees").rglob("*")} == files
    assert (tmp_path / "out" / "store" / "slices.npy").stat().st_ino == store.st_ino


def test_a_grown_release_moves_nobody_and_keeps_the_knees(release: Release, tmp_path: Path) -> None:
    before = prepare(release, tmp_path / "out").used[0]
    kept = (tmp_path / "out" / "knees" / f"{NUMBER}R" / "mri.nii.gz").stat().st_mtime_ns
    add_participant(release)
    report = prepare(release, tmp_path / "out")
    assert report.used[0] == before and len(report.used) == 2
    assert (tmp_path / "out" / "knees" / f"{NUMBER}R" / "mri.nii.gz").stat().st_mtime_ns == kept
    store = KneeStore.open(tmp_path / "out" / "store")
    assert store.index["knees"] == [f"{NUMBER}R", f"{OTHER}R"] and store.done.all()


def test_changed_tables_change_the_features_and_not_the_images(release: Release, tmp_path: Path) -> None:
    prepare(release, tmp_path / "out")
    kept = (tmp_path / "out" / "knees" / f"{NUMBER}R" / "mri.nii.gz").stat().st_mtime_ns
    release.rows[0]["V00XRKL"] = "4"
    release.write_readings()
    prepare(release, tmp_path / "out")
    assert (tmp_path / "out" / "knees" / f"{NUMBER}R" / "mri.nii.gz").stat().st_mtime_ns == kept
    items = json.loads((tmp_path / "out" / "dataset.json").read_text())[split_of(NUMBER)]
    assert items[0]["features"]["XRKL"] == 4
    assert KneeStore.open(tmp_path / "out" / "store").array("features")[0].sum() == 19


def test_a_changed_image_is_prepared_anew(release: Release, tmp_path: Path) -> None:
    prepare(release, tmp_path / "out")
    before = KneeStore.open(tmp_path / "out" / "store").array("slices")[0].copy()
    shutil.rmtree(release.day() / "10593103")
    release.add_mr(images=mr_images(phantom()[::-1]))
    prepare(release, tmp_path / "out")
    assert not np.array_equal(KneeStore.open(tmp_path / "out" / "store").array("slices")[0], before)


def test_two_processes_make_the_same_bytes(release: Release, tmp_path: Path) -> None:
    add_participant(release)
    for workers in (1, 2):
        prepare(release, tmp_path / str(workers), workers=workers)
    names = sorted(path.relative_to(tmp_path / "1") for path in (tmp_path / "1").rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(tmp_path / "2") for path in (tmp_path / "2").rglob("*") if path.is_file())
    differ = [name for name in names if (tmp_path / "1" / name).read_bytes() != (tmp_path / "2" / name).read_bytes()]
    assert differ == []


def test_what_a_killed_run_leaves_is_finished_by_the_next(release: Release, tmp_path: Path) -> None:
    add_participant(release)
    prepare(release, tmp_path / "whole")
    output = tmp_path / "killed"
    command = [sys.executable, "-c", _RUN, str(release.root), str(output)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])})
    deadline = time.monotonic() + 120
    while process.poll() is None and not list((output / "knees").glob(".*.part")) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert not (output / "dataset.json").exists()
    prepare(release, output)
    for name in ("dataset.json", "report.json", "store/slices.npy", f"knees/{NUMBER}R/mri.nii.gz"):
        assert (output / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not list((output / "knees").glob(".*"))


_RUN = """
import sys
from pathlib import Path
from monai_xray2mri.knee.oai.prepare import prepare_release
prepare_release(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("damage", ["film", "slice", "missing slice", "grade", "barcode", "side"])
def test_one_broken_knee_is_named_and_costs_no_other(release: Release, tmp_path: Path, damage: str) -> None:
    add_participant(release)
    film, mr = release.day(OTHER) / "00600001", release.day(OTHER) / "10600001"
    if damage == "film":
        (film / "001").write_bytes((film / "001").read_bytes()[:2000])
    elif damage == "slice":
        (mr / "040").write_bytes(b"x" * 100)
    elif damage == "missing slice":
        (mr / "040").unlink()
    elif damage == "side":
        write_series(mr, mr_images(PatientID=OTHER, Laterality="L"))
    else:
        release.rows[-1] |= {"V00XRKL": "two"} if damage == "grade" else {"V00BARCDBU": "016600000001"}
        release.write_readings()
    report = prepare(release, tmp_path / "out")
    assert [record["participant"] for record in report.used] == [NUMBER]
    (skipped,) = report.broken
    assert skipped.participant == OTHER
    assert not (tmp_path / "out" / "knees" / f"{OTHER}R").exists()
    assert f"({OTHER}" in (tmp_path / "out" / "report.txt").read_text().split("Broken")[1]


def test_out_of_scope_is_not_broken(release: Release, tmp_path: Path) -> None:
    add_participant(release)
    for name in range(71, 81):
        (release.day(OTHER) / "10600001" / f"{name:03d}").unlink()
    release.add_film("9009999", "00700000")
    report = prepare(release, tmp_path / "out")
    assert report.broken == []
    assert {(one.participant, one.what) for one in report.skipped} == {(OTHER, "MR series"), ("9009999", "film")}


def test_broken_rows_are_named(release: Release, tmp_path: Path) -> None:
    path = release.write_readings()
    path.write_text(path.read_text() + "9000297|1\n")
    report = prepare(release, tmp_path / "out")
    assert len(report.used) == 1
    assert [(one.what, one.reason) for one in report.broken] == [
        ("kXR_SQ_BU00.txt, line 3", "another number of fields")
    ]
    text = (tmp_path / "out" / "report.txt").read_text()
    assert "1 x kXR_SQ_BU00.txt: another number of fields (line 3)" in text


def test_an_empty_release_is_refused_with_what_was_looked_for(empty_release: Release, tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match=r"COR_T1_3D_FLASH_RIGHT.*no DICOM series, no table"):
        prepare(empty_release, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "report.json").read_text())["knees"] == 0


def test_a_release_with_nothing_usable_says_what_was_there(release: Release, tmp_path: Path) -> None:
    shutil.rmtree(release.day() / "10593103")
    with pytest.raises(InputRefused, match=r"1 bilateral films.*1 out of scope") as caught:
        prepare(release, tmp_path / "out")
    assert NUMBER not in str(caught.value)
    assert NUMBER in (tmp_path / "out" / "report.txt").read_text()


def test_tables_may_lie_elsewhere(release: Release, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    (release.root / "X-Ray Image Assessments_ASCII").rename(tables)
    with pytest.raises(InputRefused):
        prepare(release, tmp_path / "out")
    report = prepare(release, tmp_path / "out", tables=(tables, tables))
    assert len(report.used) == 1 and report.counts["tables of readings"] == 1


def test_covariates_and_acceptance_reach_the_list(release: Release, tmp_path: Path) -> None:
    general = release.root / "General_ASCII"
    release.write_table(general / "Enrollees.txt", [{"ID": NUMBER, "P02SEX": "2: Female"}])
    release.write_table(general / "AllClinical00.txt", [{"ID": NUMBER, "V00AGE": "61", "P01BMI": "27.4"}])
    accept = [{"ID": NUMBER, "V00XRBARCD": "16600593103", "V00ACCEPT": "P"}]
    release.write_table(release.root / "X-Ray MetaData_ASCII" / "XRay00.txt", accept)
    (record,) = prepare(release, tmp_path / "out").used
    assert record["covariates"] == {"age": 61.0, "sex": "F", "bmi": 27.4}
    assert "quality control of the film says P" in record["remarks"]


def test_missing_zero_changes_the_features_only(release: Release, tmp_path: Path) -> None:
    row = release.rows[0]
    row.update({name: ".A: Not Expected" for name in row if name.startswith("V00XR") and "JS" not in name})
    row["V00XRKL"] = "1"
    release.write_readings()
    for missing, known in (("unknown", 3), ("zero", 19)):
        prepare(release, tmp_path / "out", missing=missing)
        assert KneeStore.open(tmp_path / "out" / "store").array("features")[0].sum() == known


@pytest.mark.parametrize(("seed_range", "split"), [("validation", "validation"), ("shifted", "test")])
def test_held_out_simulated_knees_never_train(release: Release, tmp_path: Path, seed_range: str, split: str) -> None:
    (release.root / "release.json").write_text(json.dumps({"split": seed_range, "simulator_version": "0"}))
    report = prepare(release, tmp_path / "out")
    assert report.splits == {split: 1}
    assert KneeStore.open(tmp_path / "out" / "store").index["simulator"] == "0"
    assert "training" not in json.loads((tmp_path / "out" / "dataset.json").read_text())


@pytest.mark.parametrize("content", ["{", "{}", '{"split": "somewhere"}', "[]"])
def test_a_simulated_release_of_unknown_seeds_is_refused(release: Release, tmp_path: Path, content: str) -> None:
    (release.root / "release.json").write_text(content)
    with pytest.raises(InputRefused, match="whether its knees may train"):
        prepare(release, tmp_path / "out")


def test_a_left_knee_is_stored_as_a_right_one(release: Release, tmp_path: Path) -> None:
    prepare(release, tmp_path / "right")
    shutil.rmtree(release.day() / "10593103")
    release.add_mr(images=mr_images(phantom()[..., ::-1], SeriesDescription="COR_T1_3D_FLASH_LEFT", Laterality="L"))
    release.rows[0]["SIDE"] = "2: Left"
    release.write_readings()
    report = prepare(release, tmp_path / "left")
    assert [record["side"] for record in report.used] == ["L"]
    right, left = (KneeStore.open(tmp_path / name / "store") for name in ("right", "left"))
    np.testing.assert_array_equal(left.array("slices"), right.array("slices"))
    difference = left.array("radiographs").astype(float) - right.array("radiographs")
    assert np.abs(difference).mean() < 0.005 * 65535


def test_a_store_of_something_else_is_not_removed(release: Release, tmp_path: Path) -> None:
    (tmp_path / "out" / "store").mkdir(parents=True)
    (tmp_path / "out" / "store" / "precious").write_text("keep")
    with pytest.raises(UsageError, match="must be empty"):
        prepare(release, tmp_path / "out")
    assert (tmp_path / "out" / "store" / "precious").read_text() == "keep"


@pytest.mark.parametrize(
    "options",
    [{"workers": 0}, {"visits": ()}, {"visits": ("V07",)}, {"tables": (Path("nowhere"),)}, {"protocol": "002"}],
)
def test_options_that_cannot_be_carried_out(release: Release, tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        prepare(release, tmp_path / "out", **options)


def test_the_output_must_be_a_writable_folder_outside(release: Release, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="outside of the release"):
        prepare_release(release.root, release.root / "out")
    with pytest.raises(UsageError, match="must be a folder"):
        prepare_release(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="made and written"):
        prepare_release(release.root, tmp_path / "file")
