"""The predictor: determinism, sides, geometry, weights."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monai_xray2mri import Xray2MRI
from monai_xray2mri.core.calibration import Calibration
from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.core.volumes import to_patient_space, volume_affine
from monai_xray2mri.errors import ExitCode, InputRefused, OutOfMemory, UsageError, WeightsError
from monai_xray2mri.radiograph.knee.region import network_input
from monai_xray2mri.runtime.devices import choose_device, memory_errors
from monai_xray2mri.systems.knee_xray2mri.case import KneeCase
from monai_xray2mri.systems.knee_xray2mri.options import KneeRequest
from monai_xray2mri.systems.knee_xray2mri.plan import plan_study, read_knee_study
from monai_xray2mri.systems.registry import default_bundle
from monai_xray2mri.types import Side
from tests.helpers.films import simulated_crop, write_film

ONE_STORED_UNIT = 1 / 4095


@pytest.fixture(scope="module")
def predictor(tiny_bundle: Path) -> Xray2MRI:
    return Xray2MRI.from_bundle(tiny_bundle, device="cpu")


def case(folder: Path, side: str = "R", **replaced: object) -> KneeCase:
    pixels = simulated_crop() if side == "R" else simulated_crop()[:, ::-1]
    study = read_knee_study(write_film(folder / f"{side}.dcm", pixels, side, **replaced))
    return plan_study(study, KneeRequest(), 110.0).only()


def test_one_call_makes_a_volume(predictor: Xray2MRI, tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.dcm", simulated_crop())
    result = predictor(film, seed=1, samples=2, features={"V00XRKL": 2})
    assert result.volume.voxels.shape == (5, 64, 64)
    assert result.volume.voxels.dtype == np.float32
    assert result.volume.voxels.min() >= 0
    assert result.volume.voxels.max() <= 1
    assert result.volume.spacing == pytest.approx((2.5, 2.5, 1.5))
    assert result.case.grading.grades["XRKL"] == 2
    assert result.uncertainty is not None
    samples = np.stack([sample.voxels for sample in result.samples])
    np.testing.assert_allclose(result.volume.voxels, samples.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(result.uncertainty.voxels, samples.std(axis=0, ddof=1), atol=1e-6)


def test_equal_seeds_give_equal_bits(predictor: Xray2MRI, tmp_path: Path) -> None:
    knee, options = case(tmp_path), predictor.resolve
    first, again, other = (predictor.predict(knee, options(seed=seed)).volume.voxels for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 10 * ONE_STORED_UNIT


def test_the_chunk_does_not_change_more_than_one_stored_unit(predictor: Xray2MRI, tmp_path: Path) -> None:
    knee, options = case(tmp_path), predictor.resolve
    whole, small = (predictor.predict(knee, options(chunk=chunk)).volume.voxels for chunk in (5, 2))
    stored = [np.rint(volume * 4095).astype(int) for volume in (whole, small)]
    assert np.abs(stored[0] - stored[1]).max() <= 1


def test_a_sample_does_not_depend_on_how_many_are_drawn(predictor: Xray2MRI, tmp_path: Path) -> None:
    knee, options = case(tmp_path), predictor.resolve
    one = predictor.predict(knee, options(samples=1))
    three = predictor.predict(knee, options(samples=3))
    np.testing.assert_array_equal(one.samples[0].voxels, three.samples[0].voxels)
    assert one.uncertainty is None


def test_options_of_the_sampler_reach_the_network(predictor: Xray2MRI, tmp_path: Path) -> None:
    knee, options = case(tmp_path), predictor.resolve
    plain = predictor.predict(knee, options()).volume.voxels
    for changed in (
        {"eta": 1.0},
        {"noise_shared": 0.2},
        {"noise_shared": 0.2, "noise_aspect": 0.1},
        {"guidance": 3.0},
        {"feature_guidance": 3.0},
        {"dtype": "bfloat16"},
    ):
        assert np.abs(predictor.predict(knee, options(**changed)).volume.voxels - plain).max() > 0, changed
    one, other = (options(noise_shared=0.2, noise_length_mm=length) for length in (0.5, 5.0))
    assert np.abs(predictor.predict(knee, one).volume.voxels - predictor.predict(knee, other).volume.voxels).max()


def test_the_condition_is_encoded_once_for_all_samples(predictor: Xray2MRI, tmp_path: Path) -> None:
    encoded: list[int] = []
    hook = predictor.network.radiograph_encoder.register_forward_pre_hook(lambda _m, given: encoded.append(1))
    predictor.predict(case(tmp_path), predictor.resolve(samples=2))
    hook.remove()
    assert encoded == [1]


def test_progress_counts_slices_and_shows_a_bar_on_terminals_only(
    predictor: Xray2MRI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    film = write_film(tmp_path / "film.dcm", simulated_crop())
    seen: list[int] = []
    predictor(film, samples=2, progress=seen.append)
    assert sum(seen) == 10
    predictor(film, progress=True)
    assert "slice" not in capfd.readouterr().err
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    predictor(film, progress=True)
    assert "5/5" in capfd.readouterr().err


def test_a_left_knee_is_the_mirrored_right_knee(predictor: Xray2MRI, tmp_path: Path) -> None:
    """The same noise is drawn by hand, since every case has its own."""
    right, left = case(tmp_path, "R"), case(tmp_path, "L")
    network = predictor.network
    films = [torch.from_numpy(network_input(one.roi, 64)) for one in (right, left)]
    assert (films[0] - films[1]).abs().max() < 0.02  # the crop was resampled once more or less
    noise = network.draw_noise(torch.Generator().manual_seed(0))
    voxels = network.generate(films[0], noise=noise)[0, 0].numpy()
    as_right, as_left = (to_patient_space(voxels, 0.625, 1.5, mirrored=mirrored) for mirrored in (False, True))
    np.testing.assert_array_equal(as_left.voxels, as_right.voxels[:, :, ::-1])
    np.testing.assert_array_equal(as_left.affine, as_right.affine)
    np.testing.assert_allclose(as_right.voxels[0], (voxels[-1] + 1) / 2, atol=1e-6)  # the anterior slice comes first


def test_geometry_is_coronal_and_right_handed() -> None:
    affine = volume_affine(256, 256, 50, 0.625, 1.5)
    assert affine[:3, 3].tolist() == [-79.6875, -36.75, 79.6875]
    assert np.linalg.det(affine[:3, :3]) > 0
    assert affine[:3, 0].tolist() == [0.625, 0, 0]
    assert affine[:3, 1].tolist() == [0, 0, -0.625]
    assert affine[:3, 2].tolist() == [0, 1.5, 0]


def test_every_case_side_and_sample_has_its_own_noise() -> None:
    keys = [
        (0, "a", Side.RIGHT, 0),
        (1, "a", Side.RIGHT, 0),
        (0, "b", Side.RIGHT, 0),
        (0, "a", Side.LEFT, 0),
        (0, "a", Side.RIGHT, 1),
    ]
    draws = {float(torch.randn(1, generator=case_generator(*key))) for key in keys}
    assert len(draws) == len(keys)
    assert case_generator(*keys[0]).initial_seed() == case_generator(*keys[0]).initial_seed()


def test_the_provenance_says_what_was_used_and_names_nobody(predictor: Xray2MRI, tmp_path: Path) -> None:
    provenance = predictor.predict(case(tmp_path), predictor.resolve(seed=3)).provenance
    assert provenance["weights_sha256"] == predictor.weights_sha256
    assert provenance["options"] == {
        "seed": 3,
        "samples": 1,
        "steps": 2,
        "slices": 5,
        "guidance": 1.0,
        "feature_guidance": predictor.network.settings.feature_guidance,
        "eta": 0.0,
        "noise_shared": predictor.network.settings.noise_shared,
        "noise_length_mm": predictor.network.settings.noise_length_mm,
        "noise_aspect": predictor.network.settings.noise_aspect,
        "dtype": "float32",
    }
    chosen = predictor.resolve(eta=0.5, noise_shared=0.25, noise_length_mm=4.0, dtype="bfloat16")
    resolved = predictor.provenance(case(tmp_path), chosen)["options"]
    assert isinstance(resolved, dict)
    assert [resolved[name] for name in ("eta", "noise_shared", "noise_length_mm", "dtype")] == [
        0.5,
        0.25,
        4,
        "bfloat16",
    ]
    assert provenance["side_source"] and provenance["interval"] is None
    text = json.dumps(provenance)
    assert "Test^Knee" not in text
    assert "T-1" not in text


def test_the_interval_is_given_for_samples_like_the_calibrated_ones(predictor: Xray2MRI, tmp_path: Path) -> None:
    sampling = asdict(predictor.network.settings)
    known = Calibration(0.9, 2.5, 2.9, 0.1, 0.12, 0.02, 8, sampling, 150, ("1", "2"), "1.0", predictor.weights_sha256)
    calibrated = Xray2MRI(predictor.network, "tiny", predictor.weights_sha256, "cpu", known)
    knee = case(tmp_path)

    def interval(knee: KneeCase, **options: object) -> object:
        return calibrated.provenance(knee, calibrated.resolve(**options))["interval"]

    assert interval(knee, samples=8) == {
        "level": 0.9, "scale": 2.5, "floor": 0.02, "knees": 150, "simulator": "1.0",
    }  # fmt: skip
    assert interval(knee, samples=8, steps=sampling["steps"], chunk=3) is not None
    assert interval(knee, samples=7) is None
    assert interval(knee, samples=8, steps=1) is None
    assert interval(replace(knee, forced=True), samples=8) is None


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"steps": 0}, "option steps: must be within 1..1000"),
        ({"steps": 1001}, "option steps"),
        ({"samples": 0}, "option samples"),
        ({"slices": 1}, "option slices"),
        ({"slices": 501}, "option slices"),
        ({"seed": -1}, "option seed"),
        ({"guidance": -1.0}, "option guidance"),
        ({"eta": 1.5}, "option eta"),
        ({"noise_shared": 1.5}, "option noise_shared"),
        ({"noise_length_mm": 0.1}, "option noise_length_mm"),
        ({"noise_aspect": 1.1}, "option noise_aspect"),
        ({"dtype": "int8"}, "option dtype: must be one of: auto, float32, bfloat16, float16"),
        ({"chunk": 0}, "option chunk"),
        ({"stepz": 3}, "stepz"),
    ],
)
def test_bad_options_are_refused(predictor: Xray2MRI, tmp_path: Path, options: dict[str, float], rule: str) -> None:
    film = write_film(tmp_path / "film.dcm", simulated_crop())
    with pytest.raises(UsageError, match=rule):
        predictor(film, **options)


def test_two_knees_need_a_side(predictor: Xray2MRI, tmp_path: Path) -> None:
    first = case(tmp_path, "R")
    header = first.radiograph.dataset
    assert header is not None
    write_film(tmp_path / "L.dcm", simulated_crop()[:, ::-1], "L", StudyInstanceUID=header.StudyInstanceUID)
    with pytest.raises(InputRefused, match="side R or L"):
        predictor(tmp_path)
    assert predictor(tmp_path, side="L").case.side is Side.LEFT


def test_a_picture_is_known_by_its_pixels(predictor: Xray2MRI, tmp_path: Path) -> None:
    for name, gain in (("a", 255), ("b", 255), ("c", 200)):
        Image.fromarray((simulated_crop() * gain).astype(np.uint8)).save(tmp_path / f"{name}.png")
    first, same, other = (
        predictor(tmp_path / f"{name}.png", side="R", assume_spacing=True).volume.voxels for name in "abc"
    )
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0


def copy_bundle(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


def test_missing_weights_are_named(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = copy_bundle(tiny_bundle, tmp_path / "bundle")
    (bundle / "models" / "model.pt").unlink()
    with pytest.raises(WeightsError, match=r"models/model\.pt") as error:
        Xray2MRI.from_bundle(bundle)
    assert error.value.exit_code == ExitCode.WEIGHTS
    with pytest.raises(WeightsError, match=r"configs/inference\.json"):
        Xray2MRI.from_bundle(tmp_path / "nowhere")


@pytest.mark.parametrize("damage", ["truncated", "one bit", "text", "other network", "pickle"])
def test_damaged_weights_are_refused(tiny_bundle: Path, tmp_path: Path, damage: str) -> None:
    bundle = copy_bundle(tiny_bundle, tmp_path / "bundle")
    weights = bundle / "models" / "model.pt"
    raw = bytearray(weights.read_bytes())
    if damage == "truncated":
        weights.write_bytes(raw[: len(raw) // 2])
    elif damage == "one bit":
        raw[len(raw) // 2] ^= 1
        weights.write_bytes(raw)
    elif damage == "text":
        weights.write_text("not weights")
    elif damage == "other network":
        state = torch.load(weights, weights_only=True)
        state.pop("latent_scale")
        torch.save(state, weights)
    else:
        torch.save({"weights": Path("x")}, weights)
    with pytest.raises(WeightsError, match="undamaged weights") as error:
        Xray2MRI.from_bundle(bundle)
    assert error.value.exit_code == ExitCode.WEIGHTS


def test_memory_errors_name_the_option_that_helps() -> None:
    for error in (
        torch.OutOfMemoryError("CUDA"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: not enough memory"),
    ):
        with pytest.raises(OutOfMemory, match="25 slices") as refusal, memory_errors(25):
            raise error
        assert refusal.value.exit_code == ExitCode.OUT_OF_MEMORY
    with pytest.raises(RuntimeError, match="something else"), memory_errors(25):
        raise RuntimeError("something else")


def test_a_bundle_without_version_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = copy_bundle(tiny_bundle, tmp_path / "bundle")
    (bundle / "configs" / "metadata.json").write_text("{}")
    with pytest.raises(WeightsError, match="must state its version"):
        Xray2MRI.from_bundle(bundle)


def test_unknown_devices_are_refused() -> None:
    with pytest.raises(UsageError, match="option device"):
        choose_device("abacus")
    assert choose_device("cpu").type == "cpu"


def test_the_default_bundle_is_the_shipped_one(bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert default_bundle() == bundle
    monkeypatch.setenv("XRAY2MRI_BUNDLE", str(tmp_path))
    assert default_bundle() == tmp_path
