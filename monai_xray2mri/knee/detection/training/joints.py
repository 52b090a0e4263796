"""Training of the joint detector.

``xray2mri train-part detector --films DIR --real knee_xray_rois/train --other radiographs --minutes 30 --output
joints.pt`` trains on the films of a folder (``xray2mri simulate-films`` makes them) and writes the weights, a log, and
``joints.json``, the record of the training. Called again, it goes on where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.detection.joints import make_detector
from monai_xray2mri.knee.detection.networks.yolo import KneeYOLO, YOLOLoss
from monai_xray2mri.knee.detection.training.films import Film, films_of
from monai_xray2mri.knee.detection.training.views import FilmBatch, Views, read_crop
from monai_xray2mri.radiograph.resampling import stretch
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION, TRAINING, require_training_seed
from monai_xray2mri.training.small_networks import Recipe, SmallTraining
from monai_xray2mri.training.weights import save_state

_PICTURES = (".png", ".jpg", ".jpeg")


def make_training(views: Views, iterations: int = 1500, seed: int = 0) -> SmallTraining[KneeYOLO, FilmBatch]:
    """The training of the shipped detector on random views of films."""
    loss = YOLOLoss()

    def loss_of_batch(network: KneeYOLO, batch: FilmBatch) -> Tensor:
        films, joints = batch
        found: Tensor = loss(network, network(films), joints)
        return found

    recipe = Recipe(iterations, learning_rate=2e-3, averaging=0.99, largest_gradient=10.0, seed=seed)
    return SmallTraining(
        make_detector, views.batch, loss_of_batch, recipe, {"simulator": SIMULATOR_VERSION, **views.counts()}
    )


def read_films(directory: Path) -> list[Film]:
    """All training films of a folder.

    Raises:
        UsageError: there are none.
    """
    seeds = sorted(int(path.stem.split("-")[1]) for path in directory.glob(f"{SIMULATOR_VERSION}-*[0-9].npz"))
    films = [film for seed in seeds if seed in TRAINING for film in films_of(require_training_seed(seed), directory)]
    if not films:
        raise UsageError(
            "folder of films",
            "must hold films to train on",
            "none",
            "Make some: xray2mri simulate-films DIR --training N.",
        )
    return films


def read_crops(folder: Path) -> np.ndarray:
    """The public crops of a split, [N,95,95] uint8 as right knees; those stored as negatives are left out.

    Args:
        folder: with a folder per grade, files named by participant and side (``9000099R.jpg``).
    """
    found = []
    for path in sorted(file for file in folder.rglob("*") if file.suffix in _PICTURES):
        crop = read_crop(path)
        if crop[:, : crop.shape[1] // 10].mean() > crop[:, crop.shape[1] // 3 : -crop.shape[1] // 3].mean():
            continue  # soft tissue brighter than bone
        found.append(np.rint(255 * (crop[:, ::-1] if path.stem.endswith("L") else crop)).astype(np.uint8))
    return np.stack(found)


def read_others(folders: Sequence[Path]) -> list[np.ndarray]:
    """Pictures of something else, [H,W] float32 in [0,1], of folders of PNG or JPEG files."""
    from PIL import Image

    files = sorted(file for folder in folders for file in folder.rglob("*") if file.suffix in _PICTURES)
    return [stretch(np.asarray(Image.open(file).convert("L"))).astype(np.float32) for file in files]


def train_from_folders(
    films: Path,
    real: Path,
    output: Path,
    *,
    others: Sequence[Path] = (),
    iterations: int = 1500,
    seed: int = 0,
    minutes: float | None = None,
    progress: bool = False,
) -> bool:
    """Read what is learned from, train, write the weights and ``<output>.json``, the record of the training.

    Args:
        films: folder of simulated films.
        real: public crops of the training split.
        output: file of the weights, in half precision.
        others: folders of pictures of something else.
        iterations: steps.
        seed: of everything random.
        minutes: how long at most.
        progress: show a progress bar on stderr.

    Returns:
        Whether the run is complete.

    Raises:
        Xray2MRIError: pictures that cannot be read, another run's checkpoint, a file that cannot be written.
    """
    views = Views(read_films(films), read_crops(real), read_others(others), seed)
    training = make_training(views, iterations, seed)
    complete = training.run(output, minutes, progress=progress)
    save_state(training.average, output, half=True)
    record = {
        "iterations": training.step,
        "batch": views.size,
        **views.counts(),
        "simulator": SIMULATOR_VERSION,
        "seed": seed,
        "last loss": round(training.losses[-1], 4) if training.losses else None,
    }
    write_whole(output.with_suffix(".json"), json.dumps(record, indent=2).encode() + b"\n")
    return complete
