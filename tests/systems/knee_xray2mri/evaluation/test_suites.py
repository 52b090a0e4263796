"""The suites: what their studies cost, how they are chosen, and their tables as text."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation import alignment
from monai_xray2mri.evaluation.html_report import page
from monai_xray2mri.evaluation.study import Profile, ResultTable
from monai_xray2mri.evaluation.suite import CaseSource, Words, choose_suite
from monai_xray2mri.evaluation.tables import csv_text, markdown
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import (
    EvaluationKnee,
    KneeInputs,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import NetworkMethod
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting, sampling_work
from monai_xray2mri.systems.knee_xray2mri.evaluation.suites import PAPERS, QUICK, SUITES
from tests.systems.knee_xray2mri.evaluation.conftest import FAST


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
    on_request = {study.name for study in PAPERS.studies} - {study.name for study in chosen}
    assert on_request == {"real_films", "few_steps", "few_steps_hidden"}


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
