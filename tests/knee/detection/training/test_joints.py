"""Training of the joint detector: films, views with true boxes, and a training that can be stopped and resumed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monai_xray2mri.cli import main
from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.detection.joints import CANVAS, FILM_MM, make_detector
from monai_xray2mri.knee.detection.training.films import (
    FIRST_TRAINING,
    FIRST_UNSEEN,
    METAL_SHARE,
    Film,
    draw_hardware,
    films_of,
)
from monai_xray2mri.knee.detection.training.joints import make_training, read_crops, read_films, read_others
from monai_xray2mri.knee.detection.training.views import CROP_SIZE, Views, paste_patches, view
from monai_xray2mri.radiograph.knee.joint import REGION_MM
from monai_xray2mri.simulation.knee.film.film_options import PROSTHESES
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION, TRAINING, VALIDATION


def dotted(*joints: tuple[float, float], kinds: tuple[str, ...] = ()) -> Film:
    """A film of soft noise with a bright disc at each joint."""
    random = np.random.default_rng(1)
    rows, columns = np.mgrid[:350, :430]
    pixels = 60 + 10 * random.standard_normal((350, 430))
    for row, column in joints:
        pixels[(rows - row) ** 2 + (columns - column) ** 2 < 14**2] = 250
    names = kinds or ("knee",) * len(joints)
    return Film(pixels.clip(0, 255).astype(np.uint8), joints, names)  # type: ignore[arg-type]


@pytest.fixture
def views() -> Views:
    crops = np.random.default_rng(0).integers(0, 255, (4, CROP_SIZE, CROP_SIZE)).astype(np.uint8)
    return Views([dotted((170.0, 110.0), (172.0, 320.0))], crops, [np.eye(60, dtype=np.float32)], seed=3, size=2)


def test_boxes_lie_on_the_joints_of_every_view():
    film, random = dotted((170.0, 110.0)), np.random.default_rng(5)
    right = []
    for _ in range(40):
        shown, joints = view(film, random)
        assert shown.shape == (1, *CANVAS) and shown.min() >= -1 and shown.max() <= 1
        for row, column, height, width, *_ in joints.tolist():
            assert height == width
            assert 0.8 * REGION_MM / FILM_MM < width < 1.25 * REGION_MM / FILM_MM
            around = shown[0, int(row) - 1 : int(row) + 2, int(column) - 1 : int(column) + 2]
            beside = shown[0, int(row) - 1 : int(row) + 2, min(int(column) + 9, CANVAS[1] - 3) :][:, :3]
            right.append(bool((around.mean() - beside.mean()).abs() > 0.3))
    assert len(right) > 30 and np.mean(right) > 0.9


def test_a_prosthesis_is_a_class_of_its_own():
    _, joints = view(dotted((170.0, 215.0), kinds=("prosthesis",)), np.random.default_rng(0))
    assert joints[:, 4:].tolist() == [[0.0, 1.0]]


def test_pasted_joints_stay_and_covered_ones_go():
    film, random = dotted((170.0, 110.0), (172.0, 320.0), kinds=("prosthesis", "knee")), np.random.default_rng(0)
    patch = np.tile(np.linspace(0, 1, CROP_SIZE, dtype=np.float32), (CROP_SIZE, 1))
    pasted = paste_patches(film, [patch, None], random, knees=True)
    assert pasted.joints == film.joints and pasted.kinds == ("knee", "knee")
    changed = np.abs(pasted.pixels.astype(int) - film.pixels).max(axis=0)
    assert changed[110] > 0 and changed[300:].max() == 0
    covered = paste_patches(film, [patch, None], random, knees=False)
    assert covered.joints == film.joints[1:] and covered.kinds == ("knee",)


def test_what_is_no_knee_is_of_many_kinds(views):
    patches = [views.no_knee(views.films[0]) for _ in range(40)]
    assert {patch.shape for patch in patches} == {(CROP_SIZE, CROP_SIZE)}
    assert len({round(float(patch.std()), 2) for patch in patches}) > 10


def test_views_are_the_same_for_the_same_seed_and_step(views):
    again = Views(views.films, views.crops, views.others, seed=3, size=2)
    assert not torch.equal(views.batch(6)[0], views.batch(7)[0])
    (first, joints), (second, same) = views.batch(6), again.batch(6)
    assert torch.equal(first, second) and all(map(torch.equal, joints, same))


def test_a_resumed_training_gives_the_same_weights(views, tmp_path):
    whole = make_training(views, 3)
    assert whole.run(tmp_path / "whole.pt")
    while not make_training(views, 3).run(tmp_path / "parts.pt", minutes=0):
        pass  # one step each
    parts = make_training(views, 3)
    assert parts.run(tmp_path / "parts.pt")
    one, same = whole.average.state_dict(), parts.average.state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)


def test_training_learns_a_film_by_heart(views, monkeypatch):
    canvas, joints = view(dotted((170.0, 215.0)), np.random.default_rng(2))
    monkeypatch.setattr(views, "batch", lambda step: (canvas[None].expand(2, -1, -1, -1), [joints] * 2))
    training = make_training(views, 25)
    losses = [training.advance() for _ in range(25)]
    assert losses[-1] < 0.3 * losses[0]


def test_the_command_writes_weights_in_half_precision_with_their_record(tmp_path):
    film = dotted((170.0, 110.0), (172.0, 320.0))
    (tmp_path / "films").mkdir()
    np.savez(
        tmp_path / "films" / f"{SIMULATOR_VERSION}-{FIRST_TRAINING}.npz",
        pixels=film.pixels[None], joints=[film.joints], kinds=[film.kinds],
    )  # fmt: skip
    (tmp_path / "real").mkdir()
    Image.fromarray(np.tile(np.arange(224, dtype=np.uint8), (224, 1))[:, ::-1]).save(tmp_path / "real" / "1R.png")
    Image.fromarray(np.pad(np.full((224, 40), 200, np.uint8), ((0, 0), (92, 92)))).save(tmp_path / "real" / "2R.png")
    output = tmp_path / "joints.pt"
    call = ["train-part", "detector", "--films", str(tmp_path / "films"), "--real", str(tmp_path / "real")]
    assert main([*call, "--iterations", "1", "--output", str(output)]) == 0
    state = torch.load(output, weights_only=True)
    assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float16}
    assert set(state) == set(make_detector().state_dict())
    record = json.loads((tmp_path / "joints.json").read_text())
    assert (record["iterations"], record["films"], record["crops"]) == (1, 1, 1)


def test_simulated_films_are_kept_and_read_back(tmp_path):
    films = films_of(FIRST_TRAINING, tmp_path)
    assert len(films) > 1 and all(film.pixels.shape == (350, 430) for film in films)
    assert all(len(film.joints) == 2 for film in films)
    assert len({film.pixels.tobytes() for film in films}) == len(films)
    assert [path.name for path in tmp_path.iterdir()] == [f"{SIMULATOR_VERSION}-{FIRST_TRAINING}.npz"]
    again = read_films(tmp_path)
    assert [film.joints for film in again] == [film.joints for film in films]
    assert all(np.array_equal(one.pixels, same.pixels) for one, same in zip(again, films, strict=True))


def test_patients_come_from_their_own_ranges_and_some_have_metal():
    assert FIRST_TRAINING in TRAINING and FIRST_UNSEEN in VALIDATION
    metal = [draw_hardware(seed) for seed in range(300)]
    share = np.mean([bool(one) for one in metal])
    assert share == pytest.approx(METAL_SHARE, abs=0.1)
    kinds = [kind for one in metal for kind in one.values()]
    assert 0.4 < np.mean([kind in PROSTHESES for kind in kinds]) < 0.8
    assert draw_hardware(7) == draw_hardware(7)


def test_a_folder_without_films_is_refused(tmp_path):
    with pytest.raises(UsageError, match="films to train on"):
        read_films(tmp_path)


def test_crops_are_read_as_right_knees_and_negatives_left_out(tmp_path):
    bright = np.zeros((224, 224), np.uint8)
    bright[:, 70:110] = 200  # bone, a little to the left
    for name, picture in {"1R": bright, "2L": bright[:, ::-1], "3R": 255 - bright}.items():
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    crops = read_crops(tmp_path)
    assert crops.shape == (2, CROP_SIZE, CROP_SIZE)
    assert np.abs(crops[0].astype(int) - crops[1]).max() <= 1


def test_other_pictures_are_read_as_gray(tmp_path):
    folder: Path = tmp_path / "deep"
    folder.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype(np.uint8)).save(folder / "a.png")
    (picture,) = read_others([tmp_path])
    assert picture.shape == (40, 50) and picture.min() == 0 and picture.max() == 1
