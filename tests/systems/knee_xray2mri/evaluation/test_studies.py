"""Studies: their tables on rows whose answer is known, and each once on a simulated knee with a tiny network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from monai_xray2mri.core.calibration import Calibration
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.evaluation import alignment
from monai_xray2mri.evaluation.conformal import SCALES
from monai_xray2mri.evaluation.html_report import page
from monai_xray2mri.evaluation.plots import png, svg
from monai_xray2mri.evaluation.study import Profile, ResultTable
from monai_xray2mri.evaluation.suite import CaseSource, Words, choose_suite
from monai_xray2mri.evaluation.tables import csv_text, markdown
from monai_xray2mri.knee.data.arrays import REGION_MM
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.knee import simulate_knee
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.simulation.knee.people.seeds import LESION_ENRICHED
from monai_xray2mri.systems.knee_xray2mri.evaluation import pictures
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import (
    MODELED,
    EvaluationKnee,
    KneeInputs,
    simulated_case,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.figures import FIGURES
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import MeanSliceMethod, NetworkMethod, radiograph_of
from monai_xray2mri.systems.knee_xray2mri.evaluation.ruler import JOINT, KneeRuler, cartilage_mm, dice
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting, sampling_work
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies import (
    calibration,
    comparison,
    depth,
    feature_groups,
    film_defects,
    hidden,
    joint_space,
    ungraded,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.real_films import FilmCohort, film_gap_mm
from monai_xray2mri.systems.knee_xray2mri.evaluation.suites import PAPERS, QUICK, SUITES
from monai_xray2mri.systems.knee_xray2mri.evaluation.summary import comparison_metrics
from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI
from tests.helpers.bundles import make_tiny_bundle
from tests.helpers.knee_settings import make_setting

FAST = Profile("cpu", 25)
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def case() -> EvaluationKnee:
    """A knee with a femoral cyst alone, whose number no ceiling is measured on."""
    seed = next(seed for seed in LESION_ENRICHED if not comparison.has_ceiling(seed, FAST))
    return simulated_case(simulate_knee(seed, grades=dict.fromkeys(LESION_FEATURES, 0) | {"XRCYFM": 1}))


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory, bundle: Path, case: EvaluationKnee) -> KneeSetting:
    mean = MeanSliceMethod()
    mean.fit([case])
    folder = make_tiny_bundle(tmp_path_factory.mktemp("studies") / "tiny", bundle)
    return make_setting(folder, FAST, **{"mean slice": mean})


def recorded(rows: Iterator[dict[str, Any]] | Any, knee: EvaluationKnee) -> Rows:
    """Rows as the records hold them."""
    return [
        {"case": knee.name, "participant": knee.participant, "split": "test", **json.loads(json.dumps(row))}
        for row in rows
    ]


def test_a_perfect_prediction_is_measured_as_such(case: EvaluationKnee) -> None:
    ruler = KneeRuler(case)
    row = ruler.measure(case.volume)
    assert row["psnr"] == np.inf and row["mae"] == 0 and row["sobel_difference"] == 0
    assert row["ssim"] == pytest.approx(1) and row["rssim"] == pytest.approx(1) and row["edge_agreement"] == 1
    assert row["dice_femur"] == row["dice_tibia"] == 1 and row["cartilage_error_mm"] == 0
    assert row["joint_space_width_error_mm"] < 1
    assert ruler.lesions["XRCYFM"] is True and ruler.lesions["XRCYFL"] is False
    assert row["lesion_expression"] == 1 and row["lesion_false_expression"] <= 1 / 7
    medial, lateral = cartilage_mm(ruler.reading)
    assert 1 < medial < 8 and 1 < lateral < 8


def test_dice() -> None:
    assert dice(np.array([True, True, False]), np.array([True, False, False])) == pytest.approx(2 / 3)
    assert dice(np.zeros(3, bool), np.zeros(3, bool)) == 1


def test_the_comparison_of_methods(case: EvaluationKnee, setting: KneeSetting) -> None:
    rows = recorded(comparison.measure(setting, case), case)
    assert [row["method"] for row in rows] == ["true volume", "tiny", "mean slice"]
    tiny, mean = rows[1:]
    assert mean["psnr"] > 100 > tiny["psnr"]  # the mean of this very knee
    assert mean["coverage90"] is None and 0 <= tiny["coverage90"] <= 1
    assert tiny["psnr_mean8"] > tiny["psnr_few"]
    made = {table.name: table for table in comparison.tables(rows)}
    assert set(made) == {
        "comparison", "comparison_more", "comparison_tests", "comparison_grades", "comparison_kid",
    }  # fmt: skip
    told = comparison_metrics(rows)
    assert list(told["methods"]) == ["tiny", "mean slice"]
    assert list(told["methods"]["tiny"]) == list(comparison.METRICS)
    assert told["methods"]["mean slice"]["coverage90"] == {"median": None, "mean": None, "ci95": [None, None], "n": 0}
    assert told["methods"]["tiny"]["psnr"]["n"] == 1
    assert 0.5 < told["true_volume"]["adjacent_slice_correlation"]["mean"] < 1
    for figure in FIGURES["comparison"]:
        assert png(figure.draw(rows)).startswith(b"\x89PNG")
    assert svg(FIGURES["comparison"][1].draw(rows)) == svg(FIGURES["comparison"][1].draw(rows))
    assert png(pictures.comparison_sheet(setting, [case])).startswith(b"\x89PNG")
    assert pictures.one_of_each_grade(rows) == [case.name]


def test_how_many_knees_are_examined_again() -> None:
    for stride, share in ((1, 1), (5, 3), (10, 5)):
        assert sum(comparison.has_ceiling(seed, Profile("p", stride)) for seed in range(30)) == 30 / share


def test_differences_between_methods_are_paired(setting: KneeSetting) -> None:
    rows = [
        {"method": method, "case": str(knee), "participant": str(knee), "grade": knee % 2, "features": [[0.0, knee]],
         **dict.fromkeys((*comparison.METRICS, *comparison.MORE), knee + gain)}
        for knee in range(8) for method, gain in (("true volume", 0), ("a", 0.5), ("b", 0.0))
    ]  # fmt: skip
    tests = next(table for table in comparison.tables(rows) if table.name == "comparison_tests")
    measure, first, second, gain, p, corrected, knees = tests.rows[0]
    assert (measure, first, second, gain, knees) == ("psnr", "a", "b", "+0.5000", 8)
    assert p == corrected == f"{2 / 256:.4f}"


def test_hidden_features(case: EvaluationKnee, setting: KneeSetting) -> None:
    rows = recorded(hidden.measure(setting, case), case)
    seen = [row for row in rows if "condition" in row]
    assert len({row["condition"] for row in seen}) == 7 and len(seen) == 7 * 8
    given = {row["condition"]: row["given"] for row in seen if row["feature"] == "XRCYFM"}
    assert (given["as graded"], given["all absent"], given["all unknown"]) == (1, 0, None)
    (contrast,) = [row for row in rows if "kind" in row]
    assert contrast["kind"] == "femoral cyst" and contrast["contrast_true"] > 0.2
    assert abs(contrast["response"]) < 0.5  # a network of random weights
    assert pictures.one_of_each_kind(rows) == {"femoral cyst": case.name}
    assert png(pictures.lesion_sheet(setting, {"femoral cyst": case}))
    table = hidden.tables(rows)[0]
    assert table.rows[-1][:3] == ["true volume", "1.00 of 1", table.rows[-1][2]]
    for figure in FIGURES["hidden"]:
        assert png(figure.draw(rows))


def test_groups_of_features(case: EvaluationKnee, setting: KneeSetting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_groups, "GROUPS", {"cysts": feature_groups.GROUPS["cysts"]})
    rows = recorded(feature_groups.measure(setting, case), case)
    assert [row["group"] for row in rows] == ["cysts", "cysts"]
    assert all(abs(value) < 0.5 for row in rows for name, value in row.items() if name.startswith("response"))
    assert feature_groups.tables(rows)[0].rows[0][0] == "cysts"


def test_the_profile_for_a_gpu_asks_for_each_feature(
    case: EvaluationKnee, setting: KneeSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = replace(setting, profile=Profile("full", 1))
    asked = feature_groups.groups_of(full.profile)
    assert set(feature_groups.GROUPS) < asked.keys() and asked["XRCYFM"] == ("XRCYFM",) and len(asked) == 6 + 18
    assert (
        feature_groups.FEATURE_GROUPS.simulations(full) == 25
        and feature_groups.work(full) == 24 * 3 * feature_groups.SLICES
    )
    monkeypatch.setattr(feature_groups, "GROUPS", {"cysts": feature_groups.GROUPS["cysts"]})
    rows = recorded(feature_groups.measure(full, case), case)
    assert [row[0] for row in feature_groups.tables(rows[::-1])[0].rows] == ["cysts", "XRCYFM"]  # the only one it has


def test_more_slices(case: EvaluationKnee, setting: KneeSetting, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 50 slices the field of view moves by one slice: the true pairs are neighbors up to their noise."""
    monkeypatch.setattr(depth, "STEPS", (50,))
    (row,) = recorded(depth.measure(setting, case), case)
    assert row["spacing_mm"] == pytest.approx(1.5)
    chosen = np.array(depth.PAIRS)
    neighbors = depth.pair_correlation(case.volume[chosen], case.volume[chosen + 1])
    assert row["true"] == pytest.approx(neighbors, abs=0.03)
    assert row["psnr_interpolated_truth"] > 20 > row["psnr"]
    assert depth.tables([row])[0].rows[0][0] == 50
    assert png(FIGURES["depth"][0].draw([row])) and png(pictures.depth_sheet(setting, case))


def test_joint_space(case: EvaluationKnee, setting: KneeSetting) -> None:
    rows = recorded(joint_space.measure(setting, case), case)
    assert len(rows) == 5 * 2
    read = [row for row in rows if row["condition"] == "true volume, as read"]
    assert all(abs(row["found_mm"] - row["true_mm"]) < 1 for row in read)


def test_joint_space_beside_what_the_grade_alone_tells() -> None:
    widths = {0: [5.0, 6.0, 4.0, 5.5], 2: [2.0, 3.0, 2.5]}
    rows: Rows = []
    for grade, values in widths.items():
        for place, width in enumerate(values):
            knee = f"{grade}/{place}"
            rows.append({"condition": "film", "side": "M", "narrowing": grade, "true_mm": width,
                         "found_mm": width + 0.1 if place else None, "case": knee, "participant": knee})  # fmt: skip
    film, mean = joint_space.tables(rows)[0].rows
    assert film == ["film", "1.00", "1.00", "0.10", "2", "7"]
    assert mean[0] == "mean of the grade" and float(mean[3]) == pytest.approx(0.69, abs=0.005)
    assert float(mean[2]) == pytest.approx(-1.0)  # without the knee itself the mean runs against it
    assert png(FIGURES["joint_space"][0].draw(rows))


def test_films(case: EvaluationKnee, setting: KneeSetting) -> None:
    made = film_defects.films(case)
    film = made["as it is"]
    assert film is not None
    np.testing.assert_allclose(film_defects.move(film), film, atol=1e-5)
    assert all(other is None or other.shape == film.shape for other in made.values())
    shifted = film_defects.move(film, shift_mm=10 * REGION_MM / 256)
    np.testing.assert_allclose(shifted[:, :200], film[:, 10:210], atol=1e-4)
    few = replace(setting, profile=Profile("cpu", 50))
    rows = recorded(film_defects.measure(few, case), case)
    assert [row["condition"] for row in rows] == list(made)


def curves(rng: np.random.Generator, sizes: np.ndarray) -> list[list[float]]:
    """Loss curves of knees with errors of these sizes in units of their spread."""
    errors = np.abs(sizes[:, None] * rng.standard_normal((len(sizes), 200)))
    return [calibration.loss_curve(each).tolist() for each in errors]


def test_calibration_covers_what_it_says_on_other_knees() -> None:
    rng = np.random.default_rng(0)
    rows: Rows = []
    for split in ("calibration", "test"):
        sizes = np.exp(0.3 * rng.standard_normal(200))
        for number, losses in enumerate(curves(rng, sizes)):
            rows.append({"split": split, "region": calibration.ALL, "losses": losses, "spread": 0.05, "nominal": 0.8,
                         "constant_losses": np.linspace(1, 0, len(calibration.WIDTHS)).tolist(),
                         "case": f"{split}/{number}", "participant": f"{split}/{number}"})  # fmt: skip
    made_with = {"simulator": "1.0", "weights_sha256": "abc", "sampling": {"steps": 10}}
    found = calibration.calibrate(rows, made_with, "calibration")
    assert (
        found.participants == 200 and found.one_sided_scale > found.scale and found.record()["weights_sha256"] == "abc"
    )
    at = int(np.searchsorted(SCALES, found.scale))
    covered = np.mean([1 - row["losses"][at] for row in rows if row["split"] == "test"])
    assert 0.88 < covered < 0.92
    (table,) = calibration.tables(rows)
    assert table.rows[0][0] == calibration.ALL and png(FIGURES["calibration"][0].draw(rows))
    assert calibration.tables(rows[:3]) == []  # too few to promise anything
    with pytest.raises(UsageError, match="none of the x split"):
        calibration.calibrate(rows, {"simulator": "", "weights_sha256": "", "sampling": {}}, "x")


def test_one_knee_of_the_calibration(case: EvaluationKnee, setting: KneeSetting) -> None:
    rows = recorded(calibration.measure(setting, case), case)
    assert rows[0]["region"] == calibration.ALL
    assert {row["region"] for row in rows} <= {calibration.ALL, "bone", "cartilage and meniscus", "soft tissue",
                                               "lesion", "outside"}  # fmt: skip
    for row in rows:
        assert (np.diff(row["losses"]) <= 0).all() and row["spread"] > 0
    positions = {calibration.positions_of(str(name), 5)[0] for name in range(400)}
    assert len(positions) == 50  # all depths come up


def test_knees_that_nobody_graded(case: EvaluationKnee, setting: KneeSetting) -> None:
    """The interval is the bundle's own: wide enough it holds all, narrow enough next to nothing."""
    told = {name: grading(case.inputs) for name, grading in ungraded.GRADINGS.items()}
    assert told["as graded"]["XRCYFM"] == 1 and set(told["unknown"].values()) == {None}
    estimated = {stem for stem, grade in told["grade estimated from the film"].items() if grade is not None}
    assert estimated == {"XRKL"}  # as the app does where no report grades the knee

    def inside(scale: float) -> Rows:
        known = Calibration(0.9, scale, scale, 0.1, 0.1, 0.02, 8, {}, 200, ("a", "b"), "1.0", "abc")
        predictor = Xray2MRI(setting.bundle.predictor.network, "tiny 1", "abc", "cpu", known)
        bundle = replace(setting.bundle, predictor=predictor)
        return recorded(ungraded.measure(replace(setting, methods={setting.main: bundle}), case), case)

    wide, narrow = inside(50.0), inside(0.05)
    assert [row["condition"] for row in wide] == list(told)
    assert all(row["covered"] > 0.99 and row["width"] > 0.5 for row in wide)
    assert all(row["covered"] < 0.2 and row["width"] < 0.1 for row in narrow)
    (table,) = ungraded.tables(wide)
    assert len(table.rows) == 3 and png(FIGURES["ungraded"][0].draw(wide))


def test_where_bone_begins(case: EvaluationKnee) -> None:
    """Behind it lies less than a square centimetre of femur and tibia, before it more."""
    place = pictures.first_bone(case)
    assert case.simulated is not None and 0 < place < 25
    labels = case.simulated.labels[MODELED]
    square_cm = np.isin(labels, (Tissue.FEMUR, Tissue.TIBIA)).sum(axis=(1, 2)) * 0.625**2 / 100
    assert square_cm[place] < 1 <= square_cm[place + 1]
    assert pictures.first_bone(replace(case, simulated=None)) == 0


def test_crops_of_real_films(tmp_path: Path) -> None:
    for grade, name in ((0, "9000001L"), (0, "9000002R"), (3, "9000003R"), (3, "9000004")):
        picture = np.full((299, 299), 200, np.uint8)
        picture[170:180, 60:240] = 40  # a gap of 10 pixels
        (tmp_path / str(grade)).mkdir(exist_ok=True)
        Image.fromarray(picture).save(tmp_path / str(grade) / f"{name}.png")
    cohort = FilmCohort(tmp_path, 10)
    assert list(cohort.names) == ["9000001L", "9000003R", "9000002R", "9000004"]  # the grades in turn
    knee = cohort[1]
    assert knee.grade == 3 and knee.participant == "9000003" and knee.inputs.radiograph is not None
    gap = film_gap_mm(knee.inputs.radiograph)
    assert gap["M"] == pytest.approx(10 * REGION_MM / 299, abs=0.7)
    with pytest.raises(InputRefused, match="side"):
        cohort[3]
    with pytest.raises(UsageError, match="must hold pictures"):
        FilmCohort(tmp_path / "nowhere", 3)


def test_the_gap_of_a_film_follows_the_true_joint_space(case: EvaluationKnee) -> None:
    """The same knee, its medial joint space lost: read there, and not at the other side."""
    lost = simulated_case(simulate_knee(int(case.name), grades=dict.fromkeys(LESION_FEATURES, 0) | {"XRJSM": 3}))
    before, after = (film_gap_mm(radiograph_of(knee.inputs)) for knee in (case, lost))
    assert case.joint_space_mm is not None and lost.joint_space_mm is not None
    true = case.joint_space_mm["M"] - lost.joint_space_mm["M"]
    assert true > 2 and before["M"] - after["M"] > true / 2
    assert abs(before["L"] - after["L"]) < 1


def test_the_cost_of_another_sampler(setting: KneeSetting) -> None:
    assert sampling_work(setting, 10) == 10
    assert sampling_work(setting, 10, steps=9) == pytest.approx(20)  # one call and seven for decoding, against nine
    assert sampling_work(setting, 10, guidance=2.0) == pytest.approx(10 * 9 / 8)


class CountingMethod(NetworkMethod):
    """A network that draws nothing and counts the slices that are asked of it, in units of its own sampler."""

    counted: ClassVar[list[float]] = []

    def predict(self, knee: KneeInputs, samples: int, seed: int) -> np.ndarray:
        setting = KneeSetting({"own": replace(self, options={})}, "own", FAST, 0, True)
        work = sampling_work(setting, len(knee.depths), **asdict(self.sampler_settings))
        self.counted.append(samples * work)
        return np.full((samples, *knee.shape), 0.2, np.float32)


@pytest.mark.parametrize("simulated", [True, False])
@pytest.mark.parametrize("name", [study.name for study in PAPERS.studies if study.name != "shifted"])
def test_a_study_costs_what_it_draws(
    case: EvaluationKnee, setting: KneeSetting, name: str, simulated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said before the start, against what is asked of the network; for a knee that lacks groups at most."""
    study = next(each for each in PAPERS.studies if each.name == name)
    if study.needs_simulation and not simulated:
        return
    monkeypatch.setattr(alignment, "_STEPS", 1)
    CountingMethod.counted.clear()
    bundle = CountingMethod(setting.bundle.predictor, record=setting.bundle.record)
    counting = replace(setting, methods={**setting.methods, setting.main: bundle}, simulated=simulated)
    list(study.measure(counting, case if simulated else replace(case, simulated=None)))
    drawn, said = sum(CountingMethod.counted), study.work(counting)
    assert drawn == pytest.approx(said) or (name == "features" and 0 < drawn < said)


def test_the_papers_fit_the_stated_budget(setting: KneeSetting, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 300 volumes with the profile of a CPU; films of patients and few steps are asked for by name."""
    network = setting.bundle.predictor.network
    monkeypatch.setattr(network, "settings", network.settings.altered(steps=10))
    profile = replace(setting, profile=Profile("cpu", 5))
    chosen = PAPERS.choose(None, CaseSource())
    volumes = sum(study.work(profile) * study.cases["cpu"] * len(study.splits) for study in chosen) / 50
    assert volumes <= 300
    assert {study.name for study in PAPERS.studies} - {study.name for study in chosen} == {"real_films", "few_steps"}


def test_studies_by_name(tmp_path: Path) -> None:
    assert [study.name for study in QUICK.choose(None, CaseSource())] == ["comparison"]
    assert [study.name for study in PAPERS.choose(["depth", "quality"], CaseSource())] == ["quality", "depth"]
    with pytest.raises(UsageError, match="strange"):
        PAPERS.choose(["strange"], CaseSource())
    with pytest.raises(UsageError, match="simulated knees know"):
        PAPERS.choose(["hidden"], CaseSource(data=tmp_path))
    prepared = {study.name for study in PAPERS.choose(None, CaseSource(data=tmp_path))}
    assert "comparison" in prepared and "hidden" not in prepared
    assert choose_suite(SUITES, None, None) is QUICK and choose_suite(SUITES, "papers", None) is PAPERS
    assert choose_suite(SUITES, "quick", ["comparison"]) is PAPERS  # single studies are those of the papers
    with pytest.raises(UsageError, match="quick, papers"):
        choose_suite(SUITES, "strange", None)


def test_tables_as_text() -> None:
    table = ResultTable("t", "Title", ("a", "b"), [["x|y", 1.23456], ['say "so"', 2]], "Note.")
    assert csv_text(table) == 'a,b\nx|y,1.235\n"say ""so""",2\n'
    assert "| x/y | 1.235 |" in markdown(table) and markdown(table).endswith("Note.\n")
    html = page(
        "<Report>", [("Study", [table], [("Caption", b"png")])], {"seed": 0}, {"s": {"k": "no <numbers>"}}, Words()
    )
    assert "&lt;Report&gt;" in html and "no &lt;numbers&gt;" in html and "data:image/png;base64,cG5n" in html
    assert "<script" not in html and "http" not in html.replace("https://", "http://").split("</style>")[1]


def test_the_joint_lies_in_the_measured_slices() -> None:
    assert len(JOINT) == 30 and list(JOINT) == list(range(JOINT[0], JOINT[-1] + 1))
