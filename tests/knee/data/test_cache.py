"""The cache of a recipe: knees, twins, latents and batches, on blobs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.knee.data.arrays import MODELED_SLICES, SLICES
from monai_xray2mri.knee.data.cache import KneeCache, cached_knee
from monai_xray2mri.knee.data.cached_latents import CachedLatents, LatentCache
from monai_xray2mri.knee.data.cached_slices import CachedSlices
from monai_xray2mri.knee.data.cached_stacks import CachedStacks
from monai_xray2mri.knee.data.film_styles import NO_STYLE, FilmStyle
from monai_xray2mri.knee.data.stages import SimulateKnees
from monai_xray2mri.knee.data.twins import even_positions, hidden_grades
from monai_xray2mri.knee.grading.features import one_hot
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.people.grades import patient_grades
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.systems.knee_xray2mri.tiny_network import tiny_network
from monai_xray2mri.training.denoiser import ForwardDiffusion
from monai_xray2mri.training.recipe import Turn
from tests.helpers.cached_knees import BlobPatient, blob_knee

P = 5


@pytest.fixture(scope="module", autouse=True)
def blobs() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("monai_xray2mri.knee.data.cache.Patient", BlobPatient)
        yield


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> KneeCache:
    """Four knees in two shards; the second stage asked for more."""
    folder = tmp_path_factory.mktemp("cache")
    for knees in (2, 4):
        stage = SimulateKnees(folder, knees, slices=P, shard=2)
        assert stage.progress().done == knees - 2
        stage.work(Turn())
        assert stage.progress().complete
    return stage.cache


@pytest.fixture(scope="module")
def latents(cache: KneeCache) -> LatentCache:
    torch.manual_seed(0)
    network = tiny_network()
    network.image_size = 256  # the knees' size; the autoencoder takes any
    made = LatentCache(cache, network, views=3)
    made.encode_missing(Turn())
    return made


def test_hidden_features_of_twins_are_drawn_independently() -> None:
    drawn = np.array([list(hidden_grades(seed).values()) for seed in range(2000)])
    assert drawn.mean(axis=0) == pytest.approx(0.5, abs=0.04)
    assert np.corrcoef(drawn.T) == pytest.approx(np.eye(len(LESION_FEATURES)), abs=0.08)
    assert hidden_grades(3) == hidden_grades(3)


def test_a_cached_knee_holds_what_the_simulator_gave() -> None:
    seed = 5
    knee, first = cached_knee(seed, even_positions(seed, SLICES, P)), MODELED_SLICES[0]
    twin = {**patient_grades(seed), **hidden_grades(seed)}
    drawn, other = blob_knee(seed), blob_knee(seed, twin)
    assert np.array_equal(knee["features"], np.stack([one_hot(patient_grades(seed)), one_hot(twin)]))
    both = (drawn.lesions != 0) | (other.lesions != 0)
    for kind, source in enumerate((drawn, other)):
        places = knee["positions"] + first
        assert len(set(places)) == P and list(places) == sorted(places)
        assert np.array_equal(knee["slices"][kind], np.rint(source.volume[places] * 255))
        coarse = both[places].reshape(P, 32, 8, 32, 8).any(axis=(2, 4))
        assert np.array_equal(knee["lesions"], coarse)
    assert knee["film_joint_space"].tolist() == [6.0, 5.0]
    assert 0 <= knee["traits"][0] <= 1 and 44 < knee["traits"][1] < 81 and 16 < knee["traits"][2] < 51


def test_a_cache_is_made_in_shards_and_again_from_its_seeds(cache: KneeCache, tmp_path: Path) -> None:
    assert [len(shard) for shard in cache.shards()] == [2, 2]
    again = SimulateKnees(tmp_path, 4, slices=P, shard=2)
    told: list[int] = []
    turn = Turn(heard=told.append)
    turn.over = lambda: len(told) >= 3  # type: ignore[method-assign]
    again.work(turn)
    assert again.progress().done == 3
    again.work(Turn())
    for one, other in zip(cache.shards(), again.cache.shards(), strict=True):
        for name in one.arrays:
            assert np.array_equal(one.array(name), other.array(name))
    with pytest.raises(UsageError, match="multiple of its shards"):
        KneeCache(tmp_path, knees=3, shard=2)
    with pytest.raises(UsageError, match="visibility"):
        KneeCache(tmp_path, knees=2, slices=P, shard=2, visibility=0.1).open(0)
    with pytest.raises(InputRefused):
        KneeCache(tmp_path, knees=2, slices=P, shard=2, first=999_999)


def test_batches_hold_latents_conditions_and_which_is_a_twin(cache: KneeCache, latents: LatentCache) -> None:
    assert latents.done() == 4
    batches = CachedLatents(latents, lesion_weight=8.0)
    assert len(batches) == 4 * P
    item = 3 * P + 2  # of the last knee
    batch = batches[[item, 0]]
    shard = cache.shards()[1]
    for row, kind in ((0, 0), (2, 1)):  # as drawn, and its twin
        slices = torch.from_numpy(shard.array("slices")[1, kind, 2].astype(np.float32))[None, None] / 127.5 - 1
        wanted = latents.network.autoencoder.encode(slices).detach()
        torch.testing.assert_close(batch["latent"][row : row + 1], wanted, atol=2e-3, rtol=2e-3)
        assert torch.equal(batch["guide"][row], torch.from_numpy(shard.array("features")[1, kind].astype(np.float32)))
        assert batch["place"][row] == shard.array("positions")[1, 2] / (SLICES - 1)
    assert batch["counterfactual"].tolist() == [0, 0, 1, 1] and batch["image_of"].tolist() == [0, 1, 0, 1]
    assert set(batch["weight"].unique().tolist()) <= {1.0, 9.0}
    films = latents.network.image_latent(batch["image"]).detach()  # type: ignore[attr-defined]
    torch.testing.assert_close(batch["image_latent"], films, atol=5e-3, rtol=5e-3)
    looks = []
    for epoch in range(8):
        batches.set_epoch(epoch)
        looks.append(batches[[item]]["image"])
    assert 1 < len({float(look.sum()) for look in looks}) <= 3
    more = CachedLatents(latents, guide=("traits", "features", "joint_space"), joint_space_error_mm=0.0)[[item]]
    assert torch.equal(more["guide"][:, 6:67], batch["guide"][::2])
    spaces = shard.array("film_joint_space")[1]
    assert more["guide"][0, 67:].tolist() == pytest.approx([(spaces[0] - 4.5) / 1.5, 1, (spaces[1] - 4.5) / 1.5, 1])
    assert more["reading"][0, :2].tolist() == pytest.approx(spaces.tolist())
    assert more["guide"][0, 2] == pytest.approx((shard.array("traits")[1, 1] - 61) / 9)
    with pytest.raises(UsageError, match="strange"):
        CachedLatents(latents, guide=("strange",))
    alone = CachedLatents(latents, twins=False)[[item, 0]]
    assert "image_of" not in alone and torch.equal(alone["latent"], batch["latent"][:2])

    values = np.concatenate([shard.array("latents")[:, 0] for shard in (latents.open(0), latents.open(1))])
    assert batches.standard_deviation == pytest.approx(values.astype(np.float64).std())
    with pytest.raises(UsageError, match="needs latents of 6 knees"):
        CachedLatents(LatentCache(KneeCache(cache.folder, knees=6, slices=P, shard=2), latents.network, views=3))


def test_a_cache_of_stacks_keeps_neighbors(cache: KneeCache, latents: LatentCache, tmp_path: Path) -> None:
    stage = SimulateKnees(tmp_path, 2, slices=6, shard=2, stack=3, stack_mm=3.0)
    stage.work(Turn())
    made = LatentCache(stage.cache, latents.network, views=3)
    made.encode_missing(Turn())
    positions = stage.cache.shards()[0].array("positions").reshape(2, 2, 3).astype(int)  # knees, stacks, slices
    assert (
        (np.diff(positions, axis=2) == 2).all() and (positions[:, 0, 0] < 23).all() and (positions[:, 1, 0] >= 23).all()
    )
    assert positions.max() < SLICES and len(np.unique(positions[:, :, 0])) == 4
    batches = CachedStacks(made, guide=("features", "joint_space"))
    assert len(batches) == 4
    batch, shard = batches[[3, 0]], made.open(0)
    assert (batch["place"] * (SLICES - 1)).round().tolist() == [*positions[1, 1], *positions[0, 0]] * 2
    wanted = np.concatenate(
        [shard.array("latents")[knee, kind, place : place + 3] for kind in (0, 1) for knee, place in ((1, 3), (0, 0))]
    )
    assert torch.equal(batch["latent"], torch.from_numpy(wanted.astype(np.float32)))
    assert batch["image_of"].tolist() == [0, 0, 0, 1, 1, 1] * 2 and len(batch["image"]) == 2
    assert batch["counterfactual"].tolist() == [0] * 6 + [1] * 6
    guides = batch["guide"].unflatten(0, (-1, 3))
    assert torch.equal(guides, guides[:, :1].expand_as(guides))
    assert torch.equal(guides[0, 0, 61:], guides[2, 0, 61:]) and not torch.equal(guides[0, 0, 61:], guides[1, 0, 61:])
    alone = CachedStacks(made, twins=False)[[3]]
    assert alone["image_of"].tolist() == [0, 0, 0]


def test_impossible_stacks_are_refused(cache: KneeCache, tmp_path: Path) -> None:
    for options, message in (
        ({"slices": 5, "stack": 3}, "multiple of its stacks of 3"),
        ({"slices": 4, "stack": 2, "stack_mm": 2.0}, "multiple of the slices' 1.5 mm"),
        ({"slices": 12, "stack": 12, "stack_mm": 7.5}, "must fit into 50 slices"),
    ):
        with pytest.raises(UsageError, match=message):
            KneeCache(tmp_path, knees=2, shard=2, **options)
    with pytest.raises(UsageError, match="stack"):
        KneeCache(cache.folder, knees=2, slices=P, shard=2, stack=P).open(0)


def test_nothing_of_a_twin_is_dropped_and_no_weight_where_something_is_unknown(tiny_network: SliceDiffusion) -> None:
    count = 400
    torch.manual_seed(0)
    batch = {
        "latent": torch.zeros(count, 4, 8, 8),
        "image": torch.zeros(count, 1, 8, 8),
        "image_latent": torch.ones(count, 4, 8, 8),
        "guide": torch.ones(count, 61),
        "place": torch.zeros(count),
        "weight": torch.full((count, 1, 8, 8), 9.0),
        "counterfactual": (torch.arange(count) % 2).float(),
    }
    prepare = ForwardDiffusion(tiny_network, [31, 30], drop_condition=0.3, drop_guide=0.3, drop_group=0.3)
    _, (_, weight), _, given = prepare(batch)
    twin = batch["counterfactual"] > 0
    whole = (given["guide"] == 1).all(dim=1) & (given["keep"][:, 2] > 0)
    assert whole[twin].all() and (given["keep"][twin] == 1).all()
    assert 0.1 < whole[~twin].float().mean() < 0.4
    assert torch.equal(weight[:, 0, 0, 0] == 9, whole)


def test_an_autoencoder_sees_slices_and_films_of_knees_as_drawn(cache: KneeCache) -> None:
    source = CachedSlices(cache)
    assert len(source) == 4 * P
    gray = cache.shards()[1].array("slices")[1, 0, 3].astype(np.float32)
    assert torch.equal(source.target(3 * P + 3), torch.from_numpy(gray)[None] / 127.5 - 1)
    assert source.image(0).shape == (1, 256, 256)
    assert torch.equal(source.image(0), source.image(0)) and not torch.equal(source.image(0), source.image(1))


def test_styles_change_contrast_sharpness_and_noise() -> None:
    film = np.random.default_rng(0).random((64, 64), np.float32)
    assert np.array_equal(NO_STYLE.draw(film, np.random.default_rng(1)), film)
    styled = FilmStyle(gamma=0.5, blur_px=0.0, noise=0.0).draw(film, np.random.default_rng(1))
    order = np.argsort(film, axis=None)
    assert (np.diff(styled.ravel()[order]) >= 0).all() and abs(styled.mean() - film.mean()) > 0.01
    assert FilmStyle(0.0, 2.0, 0.0).draw(film, np.random.default_rng(1)).std() < 0.8 * film.std()
    assert FilmStyle(0.0, 0.0, 0.1).draw(film * 0 + 0.5, np.random.default_rng(1)).std() > 0.005
