"""One simulated right knee: MR volume, labels, lesions, joint radiograph and truth from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.simulation.knee.anatomy import measurement
from monai_xray2mri.simulation.knee.anatomy.truth import KneeTruth
from monai_xray2mri.simulation.knee.patient import Film, Patient, Scan
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION
from monai_xray2mri.simulation.knee.xray import radiography


@dataclass(frozen=True)
class SimulatedKnee:
    """A right knee with its truth.

    Attributes:
        volume: [80,256,256] float32 in [0,1], with noise. Slice 0 is posterior, row 0 superior, column 0 at the
            patient's right; slices are 1.5 mm, pixels 0.625 mm. All knees share one intensity scale. Where only some
            slices were asked for, it and the next three hold these, in the order asked for.
        noise_free: [80,256,256] float32 in [0,1], the same volume without noise.
        labels: [80,256,256] uint8, :class:`~monai_xray2mri.simulation.knee.mri.mr.Tissue`.
        lesions: [80,256,256] uint8: 0 for none, else 1 + the index of the feature in
            :data:`~monai_xray2mri.simulation.knee.anatomy.truth.LESION_FEATURES` (cysts, chondrocalcinosis, attrition).
        affine: [4,4] float64, maps (column, row, slice) of the whole volume to LPS mm; the origin is the joint's
            center.
        radiograph: [299,299] float32 in [0,1], bone bright, the fibula at the image's left.
        grades: OAI stem to grade, all 19.
        truth: joint space, cartilage thickness, keypoints, boxes.
        seed: the seed of the knee.
        version: version of the simulator.
    """

    volume: np.ndarray
    noise_free: np.ndarray
    labels: np.ndarray
    lesions: np.ndarray
    affine: np.ndarray
    radiograph: np.ndarray
    grades: dict[str, int]
    truth: KneeTruth
    seed: int
    version: str = SIMULATOR_VERSION


@dataclass(frozen=True)
class KneeTensors:
    """A simulated knee whose tensors stay on their device, for training on knees that are simulated on the fly.

    Attributes:
        volume, noise_free: [80,256,256] float32 in [0,1], or the slices that were asked for.
        labels, lesions: [80,256,256] uint8, the same.
        radiograph: [H,W] float32 in [0,1].
        grades: OAI stem to grade, all 19.
        seed: the seed of the knee.
    """

    volume: Tensor
    noise_free: Tensor
    labels: Tensor
    lesions: Tensor
    radiograph: Tensor
    grades: dict[str, int]
    seed: int


@one_thread()
def simulate_knee(
    seed: int,
    grades: Mapping[str, int] | None = None,
    visibility: float = 0.5,
    *,
    nuisance: int = 0,
    margin: float = 0.0,
    slices: Sequence[int] | None = None,
    device: str | torch.device = "cpu",
) -> SimulatedKnee:
    """Simulate one right knee. On one device, equal arguments give bitwise equal knees.

    Args:
        seed: a seed of one of the ranges of :mod:`~monai_xray2mri.simulation.knee.people.seeds`.
        grades: grades that replace the drawn ones, for any of the 19 OAI stems. The rest of the knee does not change.
            XRKL follows from the other grades unless it is given.
        visibility: how visible cysts, chondrocalcinosis and attrition are in the radiograph, 0 to 1.
        nuisance: number of the MR examination. Another number draws pose, field of view, texture, bias and noise
            again; anatomy and radiograph stay.
        margin: 0 gives the region that an imperfect joint detector cuts out. Above 0, the region is the true box,
            enlarged on every side by this share of its side, at the same pixel size.
        slices: which slices of the MR volume to make, 0 to 79; None makes all. A slice has the same bits whichever
            others are made.
        device: where to compute. Random numbers are drawn on the CPU, so devices differ only by rounding.

    Raises:
        InputRefused: seed outside all ranges, unknown feature or grade, visibility outside 0 to 1, margin below 0, a
            slice that there is not.
    """
    patient = Patient.draw(seed, grades, device)
    film, scan = patient.stand(visibility, margin), patient.scan(nuisance)
    made = scan.slices(slices)
    return SimulatedKnee(
        volume=made.volume.cpu().numpy(),
        noise_free=made.noise_free.cpu().numpy(),
        labels=made.labels.cpu().numpy(),
        lesions=made.lesions.cpu().numpy(),
        affine=scan.placement.affine,
        radiograph=film.image().cpu().numpy(),
        grades=scan.grades,
        truth=_truth(scan, film),
        seed=seed,
    )


def simulate_knees(
    seeds: Sequence[int],
    device: str | torch.device = "cpu",
    visibility: float = 0.5,
    *,
    margin: float = 0.0,
    slices: Sequence[int] | None = None,
) -> Iterator[KneeTensors]:
    """Simulate knees one after another, without their truth; the tensors stay on the device.

    Each knee equals the one that :func:`simulate_knee` makes from its seed; it does not depend on the other seeds.

    Args:
        seeds: seeds of any ranges.
        device: where to compute.
        visibility: as for :func:`simulate_knee`.
        margin: as for :func:`simulate_knee`.
        slices: as for :func:`simulate_knee`, the same of every knee.

    Raises:
        InputRefused: as :func:`simulate_knee`.
    """
    for seed in seeds:
        yield _simulate_tensors(seed, visibility, margin, slices, torch.device(device))


@one_thread()
def _simulate_tensors(
    seed: int, visibility: float, margin: float, slices: Sequence[int] | None, device: torch.device
) -> KneeTensors:
    patient = Patient.draw(seed, device=device)
    film, scan = patient.stand(visibility, margin), patient.scan()
    made = scan.slices(slices)
    return KneeTensors(made.volume, made.noise_free, made.labels, made.lesions, film.image(), scan.grades, seed)


@one_thread()
def simulate_radiograph(
    seed: int,
    grades: Mapping[str, int] | None = None,
    visibility: float = 0.5,
    *,
    margin: float = 0.0,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """Only the radiograph of :func:`simulate_knee`, [H,W] float32 in [0,1]; 299 x 299 without a margin.

    The arguments are those of :func:`simulate_knee`.

    Raises:
        InputRefused: as :func:`simulate_knee`.
    """
    film = Patient.draw(seed, grades, device).stand(visibility, margin)
    image: np.ndarray = film.image().cpu().numpy()
    return image


def _truth(scan: Scan, film: Film) -> KneeTruth:
    lying, standing = scan.anatomy, film.anatomy
    scale = lying.shape.scale
    return KneeTruth(
        joint_space_mm=scan.joint_space_mm,
        film_joint_space_mm=film.joint_space_mm,
        cartilage_mm=measurement.cartilage_mm(lying),
        keypoints={
            name: (x * scale[0], y * scale[1], z * scale[2]) for name, (x, y, z) in measurement.keypoints(lying).items()
        },
        film_keypoints={
            name: film.samples.pixel((x * scale[0], y * scale[1], z * scale[2]))
            for name, (x, y, z) in measurement.keypoints(standing).items()
        },
        box=radiography.true_box(film.samples),
        lesion_boxes={
            stem: film.samples.box((x[0] * scale[0], x[1] * scale[0]), (z[0] * scale[2], z[1] * scale[2]))
            for stem, (x, z) in measurement.lesion_extents(standing).items()
        },
        volumes_ml=measurement.volumes_ml(lying, (-80.0 / scale[2], 80.0 / scale[2])),
    )
