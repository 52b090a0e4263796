"""What a method is given and must give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_xray2mri.diffusion.guidance import Condition
from monai_xray2mri.errors import InputRefused, UsageError, WeightsError
from monai_xray2mri.evaluation.methods import FolderMethod, generate
from monai_xray2mri.knee.data.arrays import KneeStore, knee_arrays
from monai_xray2mri.knee.data.simulated import simulated_index
from monai_xray2mri.knee.grading.features import one_hot
from monai_xray2mri.simulation.knee.knee import SimulatedKnee
from monai_xray2mri.simulation.knee.people.seeds import VALIDATION
from monai_xray2mri.systems.knee_xray2mri.drawing import condition_of
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import (
    WHOLE,
    EvaluationKnee,
    KneeInputs,
    PreparedCohort,
    SimulatedCohort,
    decode_grades,
    modeled_affine,
    simulated_case,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.method_sources import bundle_method, method_of
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import (
    MeanSliceMethod,
    NearestNeighbourMethod,
    NetworkMethod,
    at_depths,
    modeled_slices,
)
from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI
from tests.helpers.bundles import make_tiny_bundle

CPU = "cpu"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("methods") / "tiny", bundle)


@pytest.fixture(scope="module")
def network(tiny: Path) -> NetworkMethod:
    return bundle_method(Xray2MRI.from_bundle(tiny, CPU), tiny)


def inputs(name: str = "3000001", **grades: int) -> KneeInputs:
    film = np.linspace(-1, 1, 256 * 256, dtype=np.float32).reshape(256, 256)
    return KneeInputs(name, film, grades, (0.0, 0.5, 1.0))


def blank_knee(value: float, film: float = 0.0) -> EvaluationKnee:
    """A knee of one intensity, with a film whose left half is darker by ``film``."""
    picture = np.zeros((256, 256), np.float32)
    picture[:, :128] = -film
    picture[:128] += 0.3
    return EvaluationKnee(KneeInputs("k", picture, {}, ()).at(WHOLE), np.full((50, 4, 4), value, np.float32), "p")


def test_slices_at_depths_are_interpolated() -> None:
    volume = np.arange(5, dtype=np.float32)[:, None, None] * np.ones((5, 2, 2), np.float32)
    np.testing.assert_allclose(at_depths(volume, (0, 0.25, 0.3, 1.0))[:, 0, 0], (0, 1, 1.2, 4), atol=1e-6)


def test_the_mean_and_the_nearest() -> None:
    knees = [blank_knee(0.2, 0.1), blank_knee(0.6, 0.9)]
    mean, nearest = MeanSliceMethod(), NearestNeighbourMethod()
    mean.fit(knees)
    nearest.fit(knees)
    asked = blank_knee(0.0, 0.8).inputs.at((3, 7))
    found = mean.predict(asked, 4, 0)
    assert found.shape == (1, 2, 4, 4)
    np.testing.assert_allclose(found, 0.4, atol=1e-6)
    np.testing.assert_allclose(nearest.predict(asked, 4, 0), 0.6, atol=1 / 500)


def test_a_network_is_sampled_slice_by_slice_and_knee_by_knee(network: NetworkMethod) -> None:
    """A slice does not depend on the others that are asked for, nor a sample on how many are drawn."""
    found = generate(network, inputs(), 2, 0)
    assert found.shape == (2, 3, 256, 256) and 0 <= found.min() <= found.max() <= 1
    middle = KneeInputs("3000001", inputs().radiograph, {}, (0.5,))
    np.testing.assert_allclose(generate(network, middle, 1, 0)[0, 0], found[0, 1], atol=2e-3)
    assert np.abs(found[0] - found[1]).max() > 1e-3
    assert np.abs(generate(network, middle, 1, 1)[0, 0] - found[0, 1]).max() > 1e-3
    other = KneeInputs("3000002", inputs().radiograph, {}, (0.5,))
    assert np.abs(generate(network, other, 1, 0)[0, 0] - found[0, 1]).max() > 1e-3


def test_what_a_network_is_not_given_is_the_null_condition(network: NetworkMethod) -> None:
    encoder = network.predictor.network

    def condition(method: NetworkMethod, knee: KneeInputs) -> Condition:
        return condition_of(encoder, method.view(knee))

    null, whole = encoder.null_condition(1), condition(network, inputs(XRKL=3))
    assert whole.guide.sum() == 1 and whole.image_latent.abs().sum() > 0
    no_film = condition(network, KneeInputs("k", None, {"XRKL": 3}, (0.5,)))
    torch.testing.assert_close(no_film.image_latent, null.image_latent)
    torch.testing.assert_close(no_film.guide, whole.guide)
    bare = condition(network.restrict("radiograph"), inputs(XRKL=3))
    assert bare.guide.sum() == 0
    torch.testing.assert_close(bare.image_latent, whole.image_latent)
    nothing = condition(network.restrict(), inputs(XRKL=3))
    assert nothing.guide.sum() == 0 and nothing.image_latent.abs().sum() == 0


def test_a_method_draws_what_the_predictor_draws(network: NetworkMethod) -> None:
    """Slices at chosen depths are those of the whole volume, which the predictor makes for a user."""
    predictor, knee = network.predictor, inputs(XRKL=3).at((0, 30))
    volume = next(predictor.samples(network.view(knee), predictor.resolve(seed=4)))
    assert volume.shape == (50, 256, 256)
    found = generate(network, knee, 1, 4)[0]
    np.testing.assert_allclose(found, (volume[[0, 30]] + 1) / 2, atol=1e-4)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((50, 64, 64)), "shape"),
        (np.full((50, 256, 256), np.nan), "none"),
        (np.full((50, 256, 256), 2.0), "0 to 1"),
        (np.zeros((40, 256, 256)), "50 slices"),
        (None, "no such file"),
    ],
)
def test_volumes_of_another_shape_or_without_numbers_are_named(
    tmp_path: Path, array: np.ndarray | None, words: str
) -> None:
    if array is not None:
        np.save(tmp_path / "3000001.npy", array.astype(np.float32))
    with pytest.raises(InputRefused, match=f"knee 3000001.*{words}"):
        generate(FolderMethod(tmp_path, modeled_slices), inputs(), 1, 0)


def test_volumes_of_a_folder(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).random((3, 50, 256, 256)).astype(np.float32)
    np.save(tmp_path / "3000001.npy", stored)
    np.testing.assert_array_equal(
        generate(FolderMethod(tmp_path, modeled_slices), inputs().at((4, 9)), 3, 0), stored[:, [4, 9]]
    )
    assert (
        len(generate(FolderMethod(tmp_path, modeled_slices), inputs().at((4,)), 8, 0)) == 1
    )  # fewer samples than asked: one


def test_sources_of_methods(tiny: Path, tmp_path: Path) -> None:
    assert isinstance(method_of(str(tiny), tiny, CPU), NetworkMethod)
    assert isinstance(method_of(str(tmp_path), tiny, CPU), FolderMethod)
    assert isinstance(
        method_of("monai_xray2mri.systems.knee_xray2mri.evaluation.methods:MeanSliceMethod", tiny, CPU), MeanSliceMethod
    )
    overlay = tmp_path / "bare.json"
    overlay.write_text(json.dumps({"given": ["radiograph"]}))
    bare = method_of(f"{tiny / 'models' / 'model.pt'}:{overlay}", tiny, CPU)
    assert isinstance(bare, NetworkMethod) and bare.given == {"radiograph"}
    for source in ("nowhere", "monai_xray2mri.nothing:Method", "json:nothing"):
        with pytest.raises(UsageError, match="must be a bundle"):
            method_of(source, tiny, CPU)
    (tmp_path / "bad.pt").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="configured network"):
        method_of(str(tmp_path / "bad.pt"), tiny, CPU)


def test_a_network_of_another_geometry_is_refused(tiny_bundle: Path) -> None:
    with pytest.raises(UsageError, match="range"):
        bundle_method(Xray2MRI.from_bundle(tiny_bundle, CPU), tiny_bundle)


def test_cohorts_by_seed_do_not_meet() -> None:
    first, second = SimulatedCohort("test", 1000, 0), SimulatedCohort("test", 5, 1)
    assert set(first.names).isdisjoint(second.names)
    for knees, seed in ((0, 0), (1, -1), (1001, 999)):
        with pytest.raises(UsageError, match="knees of the test range"):
            SimulatedCohort("test", knees, seed)


def test_a_prepared_knee_is_the_simulated_one(knee: SimulatedKnee, tmp_path: Path) -> None:
    case = simulated_case(knee)
    store = KneeStore.create(tmp_path / "set", 2, simulated_index([VALIDATION[7], VALIDATION[8]]))
    wide = np.pad(np.asarray(knee.radiograph), 36)
    store.write(0, knee_arrays(case.volume, wide, knee.grades))
    cohort = PreparedCohort(tmp_path / "set", "validation")
    found = cohort[0]
    np.testing.assert_allclose(found.volume, case.volume, atol=0.5 / 255 + 1e-6)
    assert dict(found.inputs.grades) == dict(knee.grades) and found.inputs.radiograph is not None
    assert found.inputs.radiograph.shape == (256, 256) and found.noise_free is None
    with pytest.raises(InputRefused, match="complete"):
        cohort[1]
    with pytest.raises(UsageError, match="test split"):
        PreparedCohort(tmp_path / "set", "test")


def test_grades_come_back_from_their_code() -> None:
    grades = decode_grades(np.asarray(one_hot({"XRKL": 2, "XRJSM": 0})))
    assert grades["XRKL"] == 2 and grades["XRJSM"] == 0 and grades["XRJSL"] is None


def test_where_modeled_slices_lie(knee: SimulatedKnee) -> None:
    """The usual field of view: at most some tenths of a millimetre from a knee's own."""
    own = knee.affine @ np.array([0, 0, 13, 1.0])
    assert np.abs(modeled_affine() @ np.array([0, 0, 0, 1.0]) - own).max() < 1.5
    np.testing.assert_allclose(modeled_affine(5) @ [0, 0, 0, 1], modeled_affine() @ [0, 0, 5, 1])
