"""KOA probability of a region, given probabilities, the fallback grading, and the description for the denoiser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from monai_xray2mri.errors import InputRefused, WeightsError
from monai_xray2mri.knee.detection import koa
from monai_xray2mri.knee.detection.koa import (
    grading_from_koa,
    koa_probability,
    shipped_classifier,
    validate_probability,
)
from monai_xray2mri.knee.detection.networks.koa_classifier import KOAClassifier, classifier_view
from monai_xray2mri.knee.grading.features import one_hot
from monai_xray2mri.networks.intensity import intensity_distribution
from monai_xray2mri.radiograph.knee.region import network_input
from monai_xray2mri.radiograph.knee.roi import KneeROI
from monai_xray2mri.runtime import shipped
from monai_xray2mri.systems.knee_xray2mri.describe import DescribeKOA
from monai_xray2mri.types import Box, Side


def region(side: Side = Side.RIGHT, width_mm: float = 110.0) -> KneeROI:
    pixels = np.random.default_rng(0).random((299, 299)).astype(np.float32)
    return KneeROI(side, Box(0, 0, 299, 299), pixels, width_mm, "whole image")


def test_the_probability_is_a_distribution_over_the_grades() -> None:
    p = koa_probability(region())
    assert p.shape == (5,)
    assert (p >= 0).all()
    assert p.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(p, koa_probability(network_input(region())[0, 0]))


def test_a_left_knee_is_graded_as_the_right_one_that_it_mirrors() -> None:
    left = region(Side.LEFT)
    mirrored = KneeROI(Side.RIGHT, left.box, np.ascontiguousarray(left.pixels[:, ::-1]), 110.0, "whole image")
    np.testing.assert_allclose(koa_probability(left), koa_probability(mirrored), atol=1e-6)


def test_what_is_no_region_is_refused() -> None:
    with pytest.raises(InputRefused, match=r"square image .*\(256, 200\)"):
        koa_probability(np.zeros((256, 200)))
    with pytest.raises(InputRefused, match=r"\[-1,1\].*0 to 255"):
        koa_probability(np.linspace(0, 255, 256 * 256).reshape(256, 256))
    with pytest.raises(InputRefused, match=r"95 mm .*80 mm"):
        koa_probability(region(width_mm=80.0))


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([0.5, 0.5, 0.5, 0, 0], "1.5"),
        ([0.5, 0.5, 0, 0], r"\(4,\)"),
        ([1.2, -0.2, 0, 0, 0], "-0.2"),
        ([0.2, 0.2, 0.2, 0.4, float("nan")], "nan"),
        (["a", "b"], "list of something else"),
        ([[0.2] * 5], r"\(1, 5\)"),
    ],
)
def test_a_probability_that_is_none_is_refused_with_the_value_found(given: list[float], found: str) -> None:
    with pytest.raises(InputRefused, match=f"KOA probability: .*found: .*{found}"):
        validate_probability(given)


def test_a_given_probability_may_err_by_rounding_and_comes_out_exact() -> None:
    p = validate_probability([0.2, 0.2, 0.2, 0.2, 0.2009])
    assert p.dtype == np.float32
    assert p.sum() == pytest.approx(1, abs=1e-6)
    with pytest.raises(InputRefused, match="sum to 1"):
        validate_probability([0.2, 0.2, 0.2, 0.2, 0.2011])


def test_the_fallback_grading_sets_nothing_but_the_grade_and_says_who_graded() -> None:
    grading = grading_from_koa([0.1, 0.1, 0.2, 0.5, 0.1])
    assert dict(grading.grades) == {"XRKL": 3}
    assert grading.source == "estimated from the radiograph"
    assert "not read by a person" in grading.remarks[0]
    assert "0.50" in grading.remarks[0]
    assert one_hot(grading.grades).sum() == 1
    with pytest.raises(InputRefused):
        grading_from_koa([1.0, 1.0, 0, 0, 0])


def test_the_description_is_probability_and_intensity_side_by_side() -> None:
    film = torch.rand(2, 1, 256, 256) * 2 - 1
    described = DescribeKOA()(film)
    assert described.shape == (2, 69)
    torch.testing.assert_close(described[:, :5], shipped_classifier().probability(classifier_view(film)))
    assert torch.equal(described[:, 5:], intensity_distribution(film))
    torch.testing.assert_close(described[0, :5], torch.from_numpy(koa_probability(film[0, 0].numpy())))


def test_a_joint_description_leaves_room_for_features() -> None:
    film = torch.rand(1, 1, 256, 256) * 2 - 1
    joint = DescribeKOA(feature_width=61)
    described = joint(film)
    assert described.shape == (1, joint.width) == (1, 130)
    assert not described[:, :61].any()
    assert torch.equal(described[:, 61:], DescribeKOA()(film))


def test_the_classifier_stays_frozen_and_the_same_under_training_and_autocast() -> None:
    describe = DescribeKOA()
    film = torch.rand(2, 1, 256, 256) * 2 - 1
    before = describe(film)
    describe.train()
    assert not any(parameter.requires_grad for parameter in describe.parameters())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(describe(film), before)


def test_a_description_with_another_classifier_keeps_its_own_copy() -> None:
    classifier = KOAClassifier()
    describe = DescribeKOA(classifier)
    film = torch.rand(1, 1, 256, 256)
    before = describe(film)
    torch.nn.init.normal_(classifier.head[1].weight)
    assert torch.equal(describe(film), before)


def test_damaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "koa.pt").write_bytes(b"no weights")
    monkeypatch.setattr(shipped.resources, "files", lambda package: tmp_path)
    with pytest.raises(WeightsError, match=r"koa\.pt"):
        koa.shipped_classifier.__wrapped__()


def test_networks_that_are_only_laid_out_do_not_spoil_the_shipped_one() -> None:
    shipped_classifier.cache_clear()
    with torch.device("meta"):
        assert DescribeKOA().classifier.temperature.is_meta
    assert not shipped_classifier().temperature.is_meta
