"""Studies on small feet with a network that was not trained: what is measured, and what tables say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.evaluation.claims import ABSENT, FAILS, HOLDS, OPEN
from monai_xray2mri.evaluation.evaluation import Evaluation
from monai_xray2mri.evaluation.results import write_results
from monai_xray2mri.evaluation.suite import CaseSource
from monai_xray2mri.systems.foot_xray_sccdm.angles import AngleInterval
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.claims import CLAIMS, claims_table
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.methods import NetworkMethod
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.quality import quality_table
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.setting import FootSetting
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.studies import comparison, intervals, sampler
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.suites import SCCDM, SUITES, check_methods, pack_foot
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.variants import (
    CDDPM,
    EQUAL,
    NO_DIFFERENCE,
    PUBLISHED,
    RUNS,
    SAG,
)
from monai_xray2mri.systems.foot_xray_sccdm.keypoints import Keypoints
from tests.systems.foot_xray_sccdm.evaluation.conftest import SIZE, find, foot_case, small_network

STUDIES = {study.name: study for study in SCCDM.studies}


class SmallFeet:
    """Small feet in the place of any; those of visibility 0 look otherwise."""

    def __init__(self, source: CaseSource, split: str, number: int) -> None:
        self.names, self.first = [str(3_000_000 + place) for place in range(number)], 50 * (split == "visibility 0")

    def __getitem__(self, index: int) -> Any:
        return replace(foot_case(self.first + index), participant=str(index))


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer samples and steps."""
    monkeypatch.setattr(intervals, "SAMPLES", 4)
    monkeypatch.setattr(intervals, "_BEFORE", (1, 4))
    monkeypatch.setattr(sampler, "STEPS", (1, 3))
    monkeypatch.setattr(sampler, "ALL_STEPS", 5)


def rows_of(setting: FootSetting, name: str, count: int = 3) -> list[dict[str, Any]]:
    study = STUDIES[name]
    return [
        {"case": str(seed), "participant": str(seed), "split": split, **row}
        for split in study.splits
        for seed in range(count)
        for row in study.measure(setting, foot_case(seed))
    ]


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("name", STUDIES)
def test_a_study_measures_and_tells(setting: FootSetting, name: str) -> None:
    study = STUDIES[name]
    rows = rows_of(setting, name)
    numbers = [value for row in rows for key, value in row.items() if key.startswith(("psnr", "ssim", "kcc", "hva_e"))]
    assert numbers and all(value is None or np.isfinite(value) for value in numbers)
    assert study.work(setting) > 0
    tables = study.tables(rows)
    assert tables and all(len(row) == len(table.columns) for table in tables for row in table.rows)
    for figure in study.figures:
        assert figure.draw(rows).axes


def test_the_comparison_holds_truth_methods_and_ceilings(setting: FootSetting) -> None:
    rows = rows_of(setting, "comparison", 4)
    assert list(dict.fromkeys(row["method"] for row in rows)) == [
        comparison.TRUE, "small", "photograph itself", "mean radiograph", "another radiograph", "nearest photograph",
        *comparison.AGAIN.values(), comparison.SKIN,
    ]  # fmt: skip
    again = [row for row in rows if row["method"] == "radiographed again"]
    assert all(row["psnr"] > 30 for row in again)
    tables = {table.name: table for table in comparison.tables(rows)}
    groups = {"by_tone", "by_severity"}
    assert set(tables) == {
        "comparison", "distributions", "angles", "severity", "comparison_tests", *groups,
    }  # fmt: skip
    kinds = {row[0] for row in tables["distributions"].rows}
    assert "small" in kinds and comparison.TRUE not in kinds


def test_a_pair_without_truth_is_measured_without_angles(setting: FootSetting) -> None:
    bare = replace(foot_case(0), truth=None)
    rows = [{"case": "0", "participant": "0", **row} for row in comparison.measure(setting, bare)]
    assert all("hva_error" not in row and "kcc" in row for row in rows)
    assert [table.name for table in comparison.tables(rows)] == ["comparison", "distributions", "comparison_tests"]
    with pytest.raises(InputRefused, match="simulated foot"):
        list(intervals.measure(setting, bare))


def test_the_picture_sheet_shows_every_foot(setting: FootSetting) -> None:
    rows = rows_of(setting, "comparison", 2)
    figure = comparison.COMPARISON.sheets[0].draw(setting, rows, lambda name: foot_case(int(name)))
    assert len(figure.axes) == 2 * (3 + len(setting.methods) - 1)
    assert [panel.get_title() for panel in figure.axes[:3]] == ["photograph", comparison.TRUE, "small"]


def test_an_interval_holds_what_it_promises(setting: FootSetting, tmp_path: Path) -> None:
    """A hundred calibration feet miss by 0.1 to 10 degrees: the 91st smallest error is the half width."""

    def row(split: str, error: float) -> dict[str, Any]:
        readings = [10.0 - 1, 10.0, 10.0 + 1]
        angles = {f"{angle}_readings": readings for angle in ("hva", "ima")}
        return {"split": split, **angles, "hva_true": 10 + error, "ima_true": 10 - error / 2}

    rows = [row("calibration", 0.1 * step) for step in range(1, 101)]
    assert intervals.half_widths(rows) == {"hva": 9.1, "ima": 4.55}
    tested = [row("test", error) for error in (1.0, 9.0, 9.2, 20.0)]
    assert intervals.coverage(rows + tested) == {"hva": [1, 1, 0, 0], "ima": [1, 1, 0, 0]}
    assert intervals.half_widths(rows[:5]) is None  # 90 % cannot be promised from five feet
    found = intervals.files({"intervals": rows}, setting, {})[intervals.FILE]
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "inference.json").write_text(json.dumps({"angle_interval": found}))
    entry = AngleInterval.of(tmp_path, "0" * 64)
    assert entry is not None and entry.half_width_deg == {"hallux_valgus": 9.1, "intermetatarsal": 4.55}
    assert entry.feet == 100 and entry.holds_for(setting.bundle.sampling(samples=8, seed=5))


def test_stated_bars_are_held_against_what_was_measured(setting: FootSetting) -> None:
    figures = {  # PSNR, SSIM, KCC
        "small": (22.0, 0.8, 0.6), "nearest photograph": (20.0, 0.7, 0.7), "mean radiograph": (21.0, 0.75, 0.0),
        comparison.AGAIN[0.0]: (29.0, 0.9, 0.8), comparison.TRUE: (40.0, 1.0, 0.75),
    }  # fmt: skip
    rows = [
        made(name, seed, psnr=psnr, ssim=ssim, kcc=kcc, hva=20.0 + seed, hva_true=21.0 + seed, hva_error=1.0,
             keypoints_mm=[2.0, 4.0, 8.0])
        for name, (psnr, ssim, kcc) in figures.items()
        for seed in range(6)
    ]  # fmt: skip
    table = quality_table({"comparison": rows}, setting)
    assert table is not None
    found = {row[0]: (row[2], row[-1]) for row in table.rows}
    assert found["PSNR over the nearest photograph"] == ("2.00 [2.00, 2.00] dB", "holds")
    assert found["PSNR over the mean radiograph"][1] == "missed"
    assert found["way from nearest photograph to ceiling, SSIM"] == ("0.500", "holds")
    assert found["keypoints, median"] == ("4.00 mm", "missed")
    assert found["HVA, r with the truth"] == ("1.000", "holds")
    assert found["KCC as a share of the true radiographs'"] == ("0.800", "missed")
    assert found["coverage of 90 % intervals, hallux valgus"][1] == "not measured"
    assert quality_table({}, setting) is None


def made(method: str, seed: int, **measures: Any) -> dict[str, Any]:
    return {"case": str(seed), "participant": str(seed), "method": method, **measures}


def test_the_table_of_claims_has_every_figure_of_table_2() -> None:
    figures = {claim.claim: claim.figures for claim in CLAIMS if claim.source == "Table 2"}
    parts = ("the difference domain", "the multi-scale module", "self-attention")
    needed = [f"{part} is needed: {name}" for part in parts for name in ("SSIM", "PSNR", "MAE", "FID", "LPIPS", "KCC")]
    assert set(needed) <= figures.keys() and len(CLAIMS) == len({claim.claim for claim in CLAIMS}) == 54
    assert figures["the difference domain is needed: LPIPS"] == "0.1673 against 0.1660, which is better"
    assert figures["self-attention is needed: FID"] == "132.34 against 144.02"


def test_claims_compare_networks_of_equal_updates(setting: FootSetting) -> None:
    rows = [
        made(name, seed, ssim=value + 0.001 * seed, psnr=20.0, mae=0.03, kcc=0.8, perceptual=0.1, hva_error=1.0)
        for name, value in ((EQUAL, 0.8), *((name, 0.7) for name in PUBLISHED), (NO_DIFFERENCE, 0.81))
        for seed in range(6)
    ]
    table = claims_table({"comparison": rows}, setting)
    assert table is not None and len(table.rows) == len(CLAIMS)
    verdicts = {row[0]: row[-1] for row in table.rows}
    assert verdicts["best SSIM of all"] == HOLDS
    assert verdicts["best PSNR of all"] == OPEN
    assert verdicts["5.72 % more SSIM than the others in the mean"] == HOLDS  # 14 per cent
    assert verdicts["18.34 % more PSNR than the others in the mean"] == FAILS
    assert verdicts["the difference domain is needed: SSIM"] == FAILS
    assert verdicts["the difference domain is needed: PSNR"] == OPEN
    assert verdicts["the multi-scale module is needed: SSIM"] == ABSENT  # that network was not trained
    assert claims_table({}, setting) is None


def test_distances_of_distributions_are_compared_on_feet_drawn_anew(setting: FootSetting) -> None:
    rng = np.random.default_rng(0)
    true = rng.standard_normal((12, 4))
    far = {name: 2.0 for name in PUBLISHED} | {EQUAL: 0.05, "small": 1.0, comparison.TRUE: 0.0}
    rows = [
        made(name, seed, moments=(true[seed] + shift).tolist()) for name, shift in far.items() for seed in range(12)
    ]
    table = claims_table({"comparison": rows}, setting)
    assert table is not None
    found = {row[0]: row[-2:] for row in table.rows}
    assert found["best FID of all"][1] == HOLDS and found["best FID of all"][0].startswith("CycleGAN: +")
    assert found["FID"][0].endswith("on other features, 12 feet") and found["FID"][1] == OPEN
    assert found["LPIPS"][1] == ABSENT  # its published weights were not given
    few = claims_table(
        {"comparison": [row for row in rows if int(row["case"]) < 4] + [made(EQUAL, 9, ssim=1)]}, setting
    )
    assert few is None  # four feet have no covariance of four features


def test_a_low_completeness_is_held_against_the_error_of_the_angle(setting: FootSetting) -> None:
    rows = [
        made(method, seed, kcc=kcc, hva_error=error)
        for seed in range(6)
        for method, kcc, error in (("a", 0.9, 2.0 + seed), ("b", 0.5, 6.0 + seed), (comparison.TRUE, 0.5, 99.0))
    ]
    table = claims_table({"comparison": rows}, setting)
    assert table is not None
    (found,) = [row for row in table.rows if row[0].startswith("a KCC below 0.75")]
    assert found[3].startswith("+4.000") and found[-1] == HOLDS


def test_less_is_better_of_errors(setting: FootSetting) -> None:
    rows = [
        made(name, seed, keypoint_mm=value, kcc=0.5) for name, value in ((SAG, 2.0), (CDDPM, 3.0)) for seed in range(6)
    ]
    table = claims_table({"comparison": rows}, setting)
    assert table is not None
    verdicts = {row[0]: row[-1] for row in table.rows}
    assert verdicts["self-attention guidance keeps joints (keypoints, mm)"] == HOLDS
    assert verdicts["self-attention guidance keeps joints (KCC)"] == OPEN


def test_the_mask_of_the_middle_block_is_empty_without_attention(setting: FootSetting) -> None:
    network = setting.bundle.diffusion
    inside = sampler.attended(network, foot_case(0), 0)
    assert inside.shape == (SIZE, SIZE) and inside.any()
    network.denoiser.middle[0].attention, kept = None, network.denoiser.middle[0].attention
    try:
        assert not sampler.attended(network, foot_case(0), 0).any()
    finally:
        network.denoiser.middle[0].attention = kept


def test_one_foot_in_five_is_drawn_with_a_thousand_steps() -> None:
    assert [sampler.chosen_for_many(str(name)) for name in (3_000_000, 3_000_001, 3_000_005)] == [True, False, True]
    assert not sampler.chosen_for_many("anna")


def test_the_samplers_do_not_move_with_the_bundles_own() -> None:
    found = sampler.samplers(foot_case(0))
    assert {name for name, options in found.items() if options["eta"] == 0} == {
        "none, 10 steps, eta 0", "none, 50 steps, eta 0",
    }  # fmt: skip
    assert all(options["eta"] == 1 for name, options in found.items() if not name.endswith("eta 0"))


def test_weights_of_another_simulator_are_refused(setting: FootSetting) -> None:
    method = NetworkMethod(setting.bundle.network, record={"simulator": "0.1"})
    with pytest.raises(UsageError, match=r"simulator 0\.1"):
        check_methods({"old": method}, CaseSource())
    check_methods({"old": method}, CaseSource(other_simulator=True))
    check_methods({"old": method}, CaseSource(data=Path("pairs")))


def test_a_training_pair_is_kept_in_8_bits() -> None:
    case = foot_case(0)
    found = pack_foot(case)()
    np.testing.assert_allclose(found.radiograph, case.radiograph, atol=1 / 500)
    assert found.truth is None and found.name == case.name


def unsteady(radiograph: np.ndarray) -> Keypoints:
    """Points of the small finder, which is unsure of every third picture."""
    points = find(radiograph).points
    return Keypoints(points, np.full(len(points), 0.9 if round(1e6 * float(radiograph.mean())) % 3 else 0.7))


@pytest.mark.usefixtures("brief")
def test_all_studies_run_with_every_method_of_the_recipes(
    setting: FootSetting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every claim gets a verdict, and every bar that five feet can tell of is measured."""
    monkeypatch.setattr(sampler, "STEPS", (1, 50))
    networks = {name: NetworkMethod(small_network(), {"steps": 1}) for name in RUNS}
    whole = replace(setting, methods={**setting.methods, **networks}, find=unsteady)
    suite = replace(
        SCCDM, cohort=SmallFeet,
        training=lambda source, number, splits: (foot_case(seed, again=False) for seed in range(100, 104)),
    )  # fmt: skip
    planned = Evaluation.of(suite, whole, suite.studies, CaseSource(cases=5), tmp_path / "records")
    planned.fit()
    for task in planned.tasks:
        for split, index in task.todo:
            planned.measure(task, split, index)
    assert planned.complete and not planned.failed
    found = write_results(planned, tmp_path, {})
    assert found["methods"].keys() >= {"small", *RUNS}
    claimed = claims_table(planned.rows, whole)
    barred = quality_table(planned.rows, whole)
    assert claimed is not None and barred is not None
    without_verdict = {row[0] for row in claimed.rows if row[-1] == ABSENT}
    expected = {claim.claim for claim in CLAIMS if claim.claim.endswith(("FID", "FID of all"))} | {"LPIPS"}
    assert without_verdict == expected
    unmeasured = {row[0] for row in barred.rows if row[-1] == "not measured"}
    assert unmeasured == {f"coverage of 90 % intervals, {angle}" for angle in ("hallux valgus", "intermetatarsal")}


def test_a_whole_run_writes_its_report(setting: FootSetting, tmp_path: Path) -> None:
    suite = replace(
        SUITES["quick"], cohort=SmallFeet,
        training=lambda source, number, splits: (foot_case(seed, again=False) for seed in range(100, 104)),
    )  # fmt: skip
    planned = Evaluation.of(suite, setting, suite.studies, CaseSource(cases=5), tmp_path / "records")
    for task in planned.tasks:
        for split, index in task.todo:
            planned.measure(task, split, index)
    planned.draw_sheets(tmp_path / "figures")
    found = write_results(planned, tmp_path, {})
    assert found["methods"]["small"]["psnr"]["n"] == 5 and "moments" not in found["methods"]["small"]
    assert (tmp_path / "figures" / "radiographs.png").is_file()
    assert "Claims of SCCDM" in (tmp_path / "report.html").read_text()
    assert json.loads((tmp_path / "metrics.json").read_text())["skipped"] == {}
