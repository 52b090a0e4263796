"""What a study is said to cost is what it draws, and the suite fits its budget."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from monai_xray2mri.evaluation.suite import CaseSource
from monai_xray2mri.systems.mri_xdiffusion.baselines.exploding import PlanePrior
from monai_xray2mri.systems.mri_xdiffusion.baselines.given import GivenSlices
from monai_xray2mri.systems.mri_xdiffusion.baselines.score_mri import ScoreMRI
from monai_xray2mri.systems.mri_xdiffusion.drawing import views_per_case
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODIES, BODY_SIZE, CONES, domain_of_split
from monai_xray2mri.systems.mri_xdiffusion.evaluation.methods import NetworkMethod, PriorMethod
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import VolumeSetting, work_of
from monai_xray2mri.systems.mri_xdiffusion.evaluation.suites import XDIFFUSION
from monai_xray2mri.systems.mri_xdiffusion.options import SliceSampling, slice_sampling
from tests.systems.mri_xdiffusion.evaluation.conftest import volume_case

STUDIES = {study.name: study for study in XDIFFUSION.studies}
DEAR = {31: 2, 60: 3, 8: 2, 6: 2}
"""Many slices to what they cost, in volumes from few: also every second one of a small cone and of a small body."""


class CountingMethod(NetworkMethod):
    """Draws nothing, and counts the work that is asked of it."""

    counted: ClassVar[list[float]] = []

    def count(self, given: GivenSlices, sampling: SliceSampling, views: float) -> None:
        own = self.network(given).settings.steps
        calls = sampling.sampler.steps * (1 + (sampling.sampler.guidance != 1)) / own
        self.counted.append(work_of(given.domain, views * calls) * DEAR.get(len(given.slices), 1))

    def predict(self, given: GivenSlices, samples: int, seed: int) -> Any:
        sampling = slice_sampling(self.network(given), **self.options)
        self.count(given, sampling, samples * views_per_case(sampling))
        return torch.full((samples, *given.shape), 0.2).numpy()

    def view(self, given: GivenSlices, rotation: Tensor, seed: int, number: object) -> tuple[Tensor, Tensor]:
        self.count(given, slice_sampling(self.network(given), **self.options), 1)
        return torch.full(given.shape, 0.2), torch.ones(given.shape, dtype=torch.bool)

    def sections(self, given: GivenSlices, place: Tensor, seed: int, sample: int) -> Tensor:
        sections = len(place) / (BODY_SIZE if given.domain == BODIES else given.shape[0])
        self.count(given, slice_sampling(self.network(given), **self.options), sections)
        generator = torch.Generator().manual_seed(sample)
        return torch.rand(len(place), *given.shape[1:], generator=generator)


@pytest.fixture
def counting(setting: VolumeSetting) -> VolumeSetting:
    CountingMethod.counted.clear()
    bundle = CountingMethod(setting.bundle.networks)
    return replace(setting, methods={**setting.methods, setting.main: bundle})


@pytest.mark.parametrize("name", [name for name, study in STUDIES.items() if not study.needs_simulation])
def test_a_study_costs_what_it_draws(counting: VolumeSetting, name: str) -> None:
    study = STUDIES[name]
    list(study.measure(counting, volume_case(9000, domain_of_split(study.splits[0]))))
    assert sum(CountingMethod.counted) == pytest.approx(study.work(counting))


def test_what_was_measured_before_and_what_a_prior_draws_count(counting: VolumeSetting) -> None:
    study = STUDIES["cones"]
    whole = study.work(counting)
    assert study.work(replace(counting, done=frozenset([counting.main]))) == 0 < whole
    prior = PriorMethod(ScoreMRI(PlanePrior(counting.bundle.networks[CONES], 0)), CONES, {})
    methods = {**counting.methods, "prior": prior}
    assert study.work(replace(counting, methods=methods)) > 2 * whole  # 59 calls a section where ours has 2
    assert STUDIES["comparison"].work(replace(counting, methods=methods)) == STUDIES["comparison"].work(counting)


def test_the_suite_fits_its_budget(counting: VolumeSetting, monkeypatch: pytest.MonkeyPatch) -> None:
    """90 minutes of two cores are 10,800 seconds; a view of a knee takes 3.5 of them, a simulated knee 4.5."""
    for domain, size, steps in ((CONES, 64, 5), (BODIES, BODY_SIZE, 5)):
        network = counting.bundle.networks[domain]
        monkeypatch.setattr(network, "settings", network.settings.altered(steps=steps))
        monkeypatch.setattr(network, "image_size", size)
        monkeypatch.setattr(network.schedule, "steps", 1000)
    chosen = XDIFFUSION.choose(None, CaseSource())
    counts = {study.name: study.cases["cpu"] * len(study.splits) for study in chosen}
    views = sum(study.work(counting) * counts[study.name] for study in chosen) / BODY_SIZE
    knees = sum(study.simulations(counting) * counts[study.name] for study in chosen) + XDIFFUSION.training_cases["cpu"]
    assert 400 < views < 700 and 140 < knees < 170
    assert 3.5 * views + 4.5 * knees < 10_800 / 3
