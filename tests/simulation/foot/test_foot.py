"""A simulated foot: its pictures, and the truth about them."""

from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.errors import UsageError
from monai_xray2mri.simulation.foot.foot import SimulatedFoot, simulate_foot
from monai_xray2mri.simulation.foot.people import TEST, TRAINING, VALIDATION
from monai_xray2mri.simulation.foot.skeleton import KEYPOINTS

SIZE = 96


@pytest.fixture(scope="module")
def foot() -> SimulatedFoot:
    return simulate_foot(TRAINING[1], size=SIZE)


def test_equal_arguments_give_equal_bits(foot: SimulatedFoot) -> None:
    again = simulate_foot(TRAINING[1], size=SIZE)
    assert foot.photograph.tobytes() == again.photograph.tobytes()
    assert foot.radiograph.tobytes() == again.radiograph.tobytes()
    assert foot.keypoints.tobytes() == again.keypoints.tobytes()


def test_what_a_foot_consists_of(foot: SimulatedFoot) -> None:
    assert foot.photograph.shape == (3, SIZE, SIZE) and foot.photograph.dtype == np.float32
    assert foot.radiograph.shape == foot.outline.shape == (SIZE, SIZE)
    assert foot.keypoints.shape == (len(KEYPOINTS), 2)
    for picture in (foot.photograph, foot.outline, foot.radiograph):
        assert 0 <= picture.min() < picture.max() <= 1
    assert len(foot.bones) == 28
    assert 1.5 < foot.pixel_mm < 3.2  # a frame of 150 to 300 mm


def test_the_cut_out_foot_is_black_beside_the_foot(foot: SimulatedFoot) -> None:
    assert not foot.cut_out[:, foot.outline < 0.75].any()
    inside = foot.outline == 1
    assert np.array_equal(foot.cut_out[:, inside], foot.photograph[:, inside])


def test_keypoints_lie_on_the_bones_they_name(foot: SimulatedFoot) -> None:
    for point, bone in {
        "metatarsal 1 head": "metatarsal 1",
        "metatarsal 2 head": "metatarsal 2",
        "metatarsal 5 head": "metatarsal 5",
        "tibial sesamoid": "tibial sesamoid",
    }.items():
        row, column = np.rint(foot.keypoints[KEYPOINTS.index(point)]).astype(int)
        assert foot.bones[bone][row, column], point


def test_bones_are_bright_and_the_floor_is_black(foot: SimulatedFoot) -> None:
    shafts = foot.bones["metatarsal 2"] | foot.bones["metatarsal 3"]
    every_bone = np.any(list(foot.bones.values()), axis=0)
    soft = (foot.outline > 0.9) & ~every_bone
    soft[SIZE // 2 :] = False  # the ankle is thick
    assert foot.radiograph[shafts].mean() > foot.radiograph[soft].mean() + 0.1
    corner = foot.radiograph[: SIZE // 8, : SIZE // 8]
    assert corner.max() < 0.02


def test_the_hallux_is_at_the_left_and_toes_are_up(foot: SimulatedFoot) -> None:
    at = dict(zip(KEYPOINTS, foot.keypoints, strict=True))
    assert at["metatarsal 1 head"][1] < at["metatarsal 2 head"][1] < at["metatarsal 5 head"][1]
    assert at["hallux tip"][0] < at["metatarsal 1 head"][0] < at["metatarsal 1 base"][0]


def test_the_pictures_are_apart_by_the_registration_error() -> None:
    def middle(registration_mm: float) -> np.ndarray:
        found = simulate_foot(VALIDATION[0], registration_mm=registration_mm, visibility=1.0, size=SIZE)
        upper = found.outline[: 2 * SIZE // 3]  # the leg is cut by the frame
        places = np.indices(upper.shape)
        return np.array([(places[axis] * upper).sum() / upper.sum() for axis in (0, 1)]) * found.pixel_mm

    apart = np.linalg.norm(middle(4.0) - middle(0.0))
    assert 2.0 < apart < 5.0


def test_visibility_changes_the_skin_and_not_the_bones() -> None:
    hidden, followed = (simulate_foot(TEST[0], visibility=v, registration_mm=0.0, size=SIZE) for v in (0.0, 1.0))
    assert hidden.shape == followed.shape
    assert abs(hidden.hallux_valgus - followed.hallux_valgus) < 1.5  # the frame, and so the rays, follow the skin
    assert np.abs(hidden.outline - followed.outline).mean() > 0.005


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seed": -1}, "seed of a foot"),
        ({"seed": 4_000_000}, "seed of a foot"),
        ({"seed": 0, "visibility": 1.2}, "visibility"),
        ({"seed": 0, "registration_mm": 5.0}, "registration error"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        simulate_foot(**arguments)  # type: ignore[arg-type]
