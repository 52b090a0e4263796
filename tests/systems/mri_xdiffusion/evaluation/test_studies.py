"""Studies on small cones and bodies with a network that was not trained: what is measured, and what tables say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.evaluation.evaluation import Evaluation
from monai_xray2mri.evaluation.methods import FolderMethod
from monai_xray2mri.evaluation.results import write_results
from monai_xray2mri.evaluation.study import Study
from monai_xray2mri.evaluation.suite import CaseSource
from monai_xray2mri.systems.mri_xdiffusion.baselines.exploding import PlanePrior
from monai_xray2mri.systems.mri_xdiffusion.baselines.given import Extent
from monai_xray2mri.systems.mri_xdiffusion.baselines.score_mri import ScoreMRI
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import Anatomy, VolumeCase, domain_of_split, knee_cube
from monai_xray2mri.systems.mri_xdiffusion.evaluation.methods import NetworkMethod, PriorMethod, method_of
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import VolumeSetting
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies import (
    calibration,
    comparison,
    compressed,
    distance,
    given,
    projection,
    sampler,
    views,
)
from monai_xray2mri.systems.mri_xdiffusion.evaluation.suites import SUITES, XDIFFUSION
from tests.systems.mri_xdiffusion.evaluation.conftest import SIZE, volume_case

STUDIES = {study.name: study for study in XDIFFUSION.studies}
OF_KNEES = [name for name, study in STUDIES.items() if study.needs_simulation]


class SmallCohort:
    """Small volumes in the place of any."""

    def __init__(self, source: CaseSource, split: str, number: int) -> None:
        first = {"calibration": 100}.get(split, 9000)
        self.split, self.names = split, [str(first + place) for place in range(number)]

    def __getitem__(self, index: int) -> Any:
        return volume_case(int(self.names[index]), domain_of_split(self.split))


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer samples and steps."""
    monkeypatch.setattr(comparison, "SAMPLES", 2)
    monkeypatch.setattr(sampler, "STEPS", (1, 2, 1000))
    monkeypatch.setattr(sampler, "OTHER_ETA_STEPS", (2,))
    monkeypatch.setattr(sampler, "OTHERS", {"guidance 3": {"guidance": 3.0, "eta": 1.0, "steps": 2}})
    monkeypatch.setattr(given, "SAMPLES", 2)
    monkeypatch.setattr(given, "REPEATED", (2,))


MEASURED = (
    "comparison", "cones", "body_slices", "cone_many_views", "body_inputs", "cone_distance", "sampler", "test_time",
    "foreign_bodies",
)  # fmt: skip


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("name", MEASURED)
def test_a_study_measures_and_tells(setting: VolumeSetting, name: str) -> None:
    study = STUDIES[name]
    if name == "cone_many_views":
        study = replace(study, measure=views.measure_numbers((1, 3)))
    case = volume_case(9000, domain_of_split(study.splits[0]))
    rows = [{"case": "9000", "participant": "9000", **row} for row in study.measure(setting, case)]
    numbers = [value for row in rows for key, value in row.items() if key.startswith(("psnr", "ssim", "correlation"))]
    assert rows and all(value is None or np.isfinite(value) for value in numbers)
    assert study.work(setting) > 0
    tables = study.tables(rows)
    assert tables and all(len(row) == len(table.columns) for table in tables for row in table.rows)
    for figure in study.figures:
        assert figure.draw(rows).axes
    measured = {key for row in rows for key in row}
    if name in ("comparison", "cones", "body_slices"):
        distances = [row["lpips"] for row in rows if "lpips" in row]
        assert distances and all(0 <= distance < 4 for distance in distances) and max(distances) > 0
    if name == "body_inputs":
        sampled = [row["condition"] for row in rows if "psnr_mean8" in row]
        assert sampled == [given.OWN, given.ANOTHER] and given.PLACE_OF_MEAN in measured
    if name == "sampler":  # the schedule has 100 steps
        assert [row["condition"] for row in rows] == ["1 steps", "2 steps", "eta 1, 2 steps", "guidance 3"]


@pytest.mark.parametrize(("own", "other"), [(0.0, "eta 1, 20 steps"), (1.0, "eta 0, 20 steps")])
def test_the_study_of_the_sampler_draws_with_the_other_eta_too(setting: VolumeSetting, own: float, other: str) -> None:
    network = setting.bundle.networks["cones"]
    before, network.settings = network.settings, network.settings.altered(eta=own)
    try:
        found = sampler.conditions(network)
    finally:
        network.settings = before
    assert found[other] == {"eta": 1.0 - own, "steps": 20} and len(found) == len(set(found))


@pytest.mark.parametrize("name", OF_KNEES)
def test_anatomy_is_asked_of_simulated_knees_alone(setting: VolumeSetting, name: str) -> None:
    with pytest.raises(InputRefused, match="simulated knee"):
        list(STUDIES[name].measure(setting, volume_case(9000, "bodies")))
    with pytest.raises(UsageError, match="only simulated volumes"):
        XDIFFUSION.choose([name], CaseSource(data=Path("set")))


def test_views_of_one_angle_are_drawn_once(setting: VolumeSetting, monkeypatch: pytest.MonkeyPatch) -> None:
    assert views.distinct_views((1, 2, 3, 5, 10)) == 12 + 9 + 2
    assert len({angle for number in views.MANY for angle in views.angles(number)}) == 90
    drawn: list[object] = []
    view = NetworkMethod.view

    def counted(method: NetworkMethod, *arguments: Any) -> Any:
        drawn.append(arguments[-1])
        return view(method, *arguments)

    monkeypatch.setattr(NetworkMethod, "view", counted)
    rows = list(views.measure_numbers((1, 2))(setting, volume_case(9000)))
    assert sorted(map(str, drawn)) == ["180.0", "360.0", "plane 1", "plane 2", "sample 1"]
    by_name = {row["views"]: row["psnr"] for row in rows}
    assert by_name["1 views, mean"] == by_name["1 samples of one view, mean"]


def test_only_the_modelled_depth_counts_beside_radiographs(setting: VolumeSetting, tmp_path: Path) -> None:
    """A volume that knows nothing else is equal to the truth there."""
    knee = np.random.default_rng(0).random((80, 256, 256)).astype(np.float32)
    cube = knee_cube(knee)
    whole = VolumeCase("1", "1", "bodies", cube.voxels, Extent.of(cube.acquired), 160.0, Anatomy(np.eye(4), knee))
    part = projection.modeled_part(whole)
    front, back = part.box[0].start, part.box[0].stop
    assert (front, back) == (28, 71) and part.box[1:] == whole.box[1:]
    known = knee.copy()
    known[:13], known[63:] = 0, 0
    np.testing.assert_allclose(knee_cube(known).voxels[part.box], cube.voxels[part.box], atol=1e-5)
    case = replace(volume_case(9000, "bodies"), anatomy=Anatomy(np.eye(4), np.zeros((80, 256, 256), np.uint8)))
    np.save(tmp_path / "9000.npy", case.voxels[None].repeat(2, 0).astype(np.float16))
    entered = replace(setting, methods={**setting.methods, "radiograph": FolderMethod(tmp_path)})
    rows = {row["condition"]: row for row in projection.measure(entered, case)}
    assert rows["radiograph"]["psnr"] > 60 and "psnr_mean8" not in rows["radiograph"]
    assert "mean volume" in rows and f"X-Diffusion, {given.PROJECTION}" in rows
    assert STUDIES["projection"].tables([{"case": "1", "participant": "1", **row} for row in rows.values()])


def test_turning_the_truth_is_the_ceiling_of_views() -> None:
    case = volume_case(9000)
    for degrees, least in ((360.0, 60.0), (90.0, 60.0), (72.0, 25.0)):
        back, known = views.true_view(case, views.azimuth(degrees))
        error = np.square(back.numpy() - case.voxels)[known.numpy()].mean()
        assert known.float().mean() > 0.7 and 10 * np.log10(1 / max(error, 1e-9)) > least
    assert not views.true_view(volume_case(9000, "bodies"), torch.eye(3))[1][:2].any()  # beyond what was acquired


def test_a_sheet_shows_what_is_given_made_and_wrong(setting: VolumeSetting) -> None:
    (sheet,) = STUDIES["body_views"].sheets
    rows = [{"case": "9000", "views": "1 views, mean"}]
    figure = sheet.draw(setting, rows, lambda name: volume_case(int(name), "bodies"))
    titles = [panel.get_title() for panel in figure.axes[:6]]
    assert titles == ["given", "truth", "1 view", "5 views", "error of 1 view", "error of 5"]
    pictures = [panel.images[0].get_array() if panel.images else None for panel in figure.axes]
    assert len(pictures) == 18 and [number for number, each in enumerate(pictures) if each is None] == [6, 12]
    np.testing.assert_allclose(pictures[4], abs(pictures[2] - pictures[1]), atol=1e-6)
    assert sheet.draw(setting, [], lambda name: volume_case(int(name), "bodies")) is None


def test_inputs_are_what_their_names_say(setting: VolumeSetting) -> None:
    case = volume_case(9000)
    inputs = dict(given.inputs(setting, case))
    own = inputs[given.OWN]
    assert own.slices.shape == (1, SIZE, SIZE)
    assert (own.places == inputs[given.ANOTHER].places).all()
    assert not (own.slices == inputs[given.ANOTHER].slices).all()
    assert not inputs[given.NOTHING].slices.any()
    repeated = inputs["its own slice 5 times"].slices
    assert len(repeated) == 5 and (repeated == own.slices).all()
    np.testing.assert_allclose(inputs[given.PROJECTION].slices[0], case.voxels.mean(axis=0), atol=1e-6)


def test_sections_do_not_depend_on_their_company(setting: VolumeSetting) -> None:
    case = volume_case(9000)
    slices, places = case.given(case.even_places(1)), case.places_at(range(SIZE))
    whole = setting.bundle.sections(slices, places, 0, 1)
    np.testing.assert_allclose(setting.bundle.sections(slices, places[[3, 9]], 0, 1), whole[[3, 9]], atol=1e-5)


def test_coverage_is_that_of_the_calibration(setting: VolumeSetting) -> None:
    """Where calibration and test are alike, 90 % of the voxels lie inside."""
    rng, rows = np.random.default_rng(0), []
    for split in ("calibration", "bodies"):
        for number in range(60):
            needed = np.abs(rng.normal(size=400)) * 1.7
            row = {"region": "all", "losses": calibration.loss_curve(needed).tolist(), "nominal": 0.6, "spread": 0.1}
            rows.append({"case": f"{split}/{number}", "participant": str(number), "split": split, **row})
    (table,) = calibration.tables(rows)
    assert 0.88 < float(table.rows[0][1].split(" ")[0]) < 0.93
    assert calibration.tables(rows[:60]) == [] and "60 cases" in table.note
    case = volume_case(9000, "bodies")
    assert len(calibration.positions_of(case, 5)) == 1
    every = calibration.positions_of(case, 1)
    assert len(every) == 2 and all(2 <= index < 14 for index in every)


def test_a_method_of_another_domain_is_passed_over(setting: VolumeSetting) -> None:
    only = NetworkMethod({"bodies": setting.bundle.networks["bodies"]})
    alone = replace(setting, methods={**setting.methods, "other": only}, done=frozenset(setting.methods))
    assert list(distance.measure(alone, volume_case(9000))) == [{"method": "other"}]


def test_a_prior_reconstructs_undersampled_slices(setting: VolumeSetting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "FACTORS", (4,))
    prior = PriorMethod(ScoreMRI(PlanePrior(setting.bundle.networks["cones"], 0), steps=2), "cones", {})
    with_prior = replace(setting, methods={**setting.methods, "prior": prior})
    rows = list(STUDIES["compressed"].measure(with_prior, volume_case(9000)))
    assert [row["condition"] for row in rows] == [
        "zero filling, factor 4", "X-Diffusion, 31 slices, factor 4", "DiffusionMBIR (prior), factor 4",
    ]  # fmt: skip
    assert STUDIES["compressed"].tables([{"case": "9000", "participant": "9000", **row} for row in rows])


def test_what_a_method_may_be(tmp_path: Path, repository: Path) -> None:
    bundle = repository / "bundle" / "mri_xdiffusion"
    with pytest.raises(UsageError, match="needs 2 files of weights"):
        method_of("tpdm:nothing.pt:cones", bundle, "cpu")
    with pytest.raises(UsageError, match=r"package\.module:Class"):
        method_of("nothing.here:Class", bundle, "cpu")
    np.save(tmp_path / "9000.npy", np.zeros((SIZE,) * 3, np.float32))
    case = volume_case(9000)
    assert not method_of(str(tmp_path), bundle, "cpu").predict(case.given(case.even_places(1)), 1, 0).any()


@pytest.mark.usefixtures("brief")
def test_a_run_ends_with_records_tables_and_report(setting: VolumeSetting, tmp_path: Path) -> None:
    studies: list[Study[Any, Any]] = [replace(STUDIES[name], cases={"cpu": 1}) for name in ("cones", "cone_distance")]
    suite = replace(XDIFFUSION, studies=studies, cohort=SmallCohort)
    run = Evaluation.of(suite, setting, studies, CaseSource(), tmp_path / "records")
    for task in run.tasks:
        for split, index in task.todo:
            run.measure(task, split, index)
    assert run.complete and not run.failed
    found = write_results(run, tmp_path, {"seed": 0})
    assert found["cones"]["small"]["psnr"]["n"] == 1 and found["methods"] == {}
    report = (tmp_path / "report.html").read_text()
    assert "Error by distance from the input slice" in report and "Methods compared on cones" in report


def test_the_suites_hold_what_they_are_asked_for() -> None:
    assert list(SUITES) == ["quick", "xdiffusion"]
    assert all({"cpu", "full"} == set(study.cases) for study in XDIFFUSION.studies)
    assert len(STUDIES) == len(XDIFFUSION.studies)
