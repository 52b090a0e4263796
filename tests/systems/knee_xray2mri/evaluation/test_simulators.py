"""Weights meet knees of the simulator that they were trained on, or are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.evaluation.suite import CaseSource
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION
from monai_xray2mri.systems.knee_xray2mri.evaluation.method_sources import bundle_method
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import MeanSliceMethod
from monai_xray2mri.systems.knee_xray2mri.evaluation.simulators import check_simulators
from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI
from tests.helpers.bundles import make_tiny_bundle


@pytest.fixture
def methods(tmp_path: Path, bundle: Path) -> dict[str, Method]:
    """Weights of simulator 1.0, and a method without weights."""
    old = make_tiny_bundle(tmp_path / "old", bundle)
    metadata = json.loads((old / "configs" / "metadata.json").read_text())
    (old / "configs" / "metadata.json").write_text(json.dumps({**metadata, "simulator_version": "1.0"}))
    return {"mean slice": MeanSliceMethod(), "old": bundle_method(Xray2MRI.from_bundle(old, "cpu"), old)}


def prepared_of(folder: Path, monkeypatch: pytest.MonkeyPatch, simulator: str | None) -> Path:
    index = {} if simulator is None else {"simulator": simulator}
    module = "monai_xray2mri.systems.knee_xray2mri.evaluation.simulators"
    monkeypatch.setattr(f"{module}.open_prepared", lambda directory: type("Store", (), {"index": index}))
    return folder


def test_weights_of_another_simulator_are_refused(methods: dict[str, Method]) -> None:
    with pytest.raises(UsageError, match=rf"method old.*simulator {SIMULATOR_VERSION}.*1\.0.*--other-simulator"):
        check_simulators(methods, CaseSource())
    check_simulators({"mean slice": methods["mean slice"]}, CaseSource())


def test_they_pass_where_that_is_said(methods: dict[str, Method]) -> None:
    check_simulators(methods, CaseSource(other_simulator=True))


def test_a_prepared_set_has_a_simulator_of_its_own_or_none(
    methods: dict[str, Method], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for simulator in ("1.0", None):
        check_simulators(methods, CaseSource(data=prepared_of(tmp_path, monkeypatch, simulator)))
    with pytest.raises(UsageError, match=r"simulator 0\.9"):
        check_simulators(methods, CaseSource(data=prepared_of(tmp_path, monkeypatch, "0.9")))
