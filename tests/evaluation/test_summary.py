"""The figures of the model card."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_xray2mri.bundles import load_network
from monai_xray2mri.evaluation.summary import HIDDEN, main, summarise_knee, true_slices
from monai_xray2mri.simulation.knee import simulate_knee
from monai_xray2mri.simulation.seeds import VALIDATION


def test_the_summary_is_printed_as_json(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--bundle", str(bundle), "--knees", "1", "--training-knees", "2", "--steps", "1"])
    found = json.loads(capsys.readouterr().out)
    assert found["split"] == "validation"
    assert 10 < found["psnr_mean_slice"] < 30
    assert 0 < found["adjacent_slice_correlation_true"] < 1


def test_figures_with_a_known_answer(bundle: Path) -> None:
    network = load_network(bundle)
    network.steps = 1
    seed = next(s for s in VALIDATION if np.asarray(simulate_knee(s).lesions[13:63]).any())
    assert any(grade for name, grade in simulate_knee(seed).grades.items() if name.startswith(HIDDEN))
    truth = true_slices(simulate_knee(seed), network)
    assert truth.shape == (50, 256, 256)
    with torch.no_grad():  # a network that ignores the features generates no lesion
        network.denoiser.guide.mlp[0].weight[:, :61] = 0
    record = summarise_knee(network, seed, mean=truth)
    assert record["psnr_mean_slice"] == np.inf
    assert record["psnr_one_step"] == pytest.approx(record["psnr_sample"])
    assert record["psnr_one_step_features_unknown"] == pytest.approx(record["psnr_one_step"])
    assert record["lesion_true"] > 0.02
    assert record["lesion_generated"] == pytest.approx(0, abs=1e-6)
