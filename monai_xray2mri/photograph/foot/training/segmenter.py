"""Training of the foot segmenter (:mod:`monai_xray2mri.photograph.foot.segmenter`).

``xray2mri train-part foot-segmenter --output segmenter.pt`` simulates photographs of feet, trains on scenes of them,
and writes the weights and ``segmenter.json`` with what they reach on scenes of feet of the validation range.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.errors import UsageError
from monai_xray2mri.photograph.foot.grid import sample
from monai_xray2mri.photograph.foot.outline import TEMPLATE_SIZE
from monai_xray2mri.photograph.foot.segmenter import KINDS, FootSegmenter
from monai_xray2mri.photograph.foot.training.scenes import Scene, Scenes
from monai_xray2mri.runtime.files import whole_file, write_whole
from monai_xray2mri.runtime.workers import Runner
from monai_xray2mri.simulation.foot.foot import WholeFoot, photograph_whole_foot
from monai_xray2mri.simulation.foot.people import FOOT_SIMULATOR_VERSION, TRAINING, VALIDATION
from monai_xray2mri.training.small_networks import Recipe, SmallTraining
from monai_xray2mri.training.weights import save_state

SceneBatch = tuple[Tensor, Tensor, Tensor]
"""Pictures [B,3,S,S] in [0,1], cover [B,1,S,S], kinds [B,S/4,S/4]."""
JUDGED: Final = 400
"""Scenes that the weights are judged by."""
_BATCH: Final = 8
"""Scenes of a step, each of which is seen mirrored, too."""


def scene_batch(scenes: Scenes, step: int) -> SceneBatch:
    """What a step sees, the same whenever it is asked for: scenes, and each of them mirrored."""
    drawn = stacked([scenes.scene(step * _BATCH + number) for number in range(_BATCH)])
    pictures, limbs, kinds = (torch.cat((part, part.flip(-1))) for part in drawn)
    return pictures, limbs, kinds


def stacked(scenes: Sequence[Scene]) -> SceneBatch:
    """Scenes as a batch."""
    pictures = torch.from_numpy(np.stack([scene.picture for scene in scenes])).movedim(-1, 1).float() / 255
    limbs = torch.from_numpy(np.stack([scene.limb for scene in scenes]))[:, None]
    return pictures, limbs, torch.from_numpy(np.stack([scene.kinds for scene in scenes]))


def loss_of_batch(network: FootSegmenter, batch: SceneBatch) -> Tensor:
    """Cross-entropy and overlap of the outline, cross-entropy of kinds on limbs; small limbs count as much as large."""
    pictures, limbs, kinds = batch
    with torch.autocast("cpu", torch.bfloat16):
        mask, found = network(pictures)
    mask, found = mask.float(), found.float()
    outline = F.binary_cross_entropy_with_logits(mask, limbs)
    share = mask.sigmoid()
    overlap = 1 - (2 * (share * limbs).sum((1, 2, 3)) + 50) / (share.sum((1, 2, 3)) + limbs.sum((1, 2, 3)) + 50)
    inside = (kinds >= 0).sum((1, 2))
    wrong = F.cross_entropy(found, kinds, ignore_index=-1, reduction="none").sum((1, 2)) / inside.clamp(1)
    kind = wrong.sum() / (inside > 0).sum().clamp(1)
    return outline + 0.5 * overlap.mean() + 0.5 * kind


def mean_outline(feet: Sequence[WholeFoot]) -> Tensor:
    """The mean outline [64,64] of feet in their frame."""
    total = np.zeros((TEMPLATE_SIZE, TEMPLATE_SIZE))
    for foot in feet:
        size = len(foot.outline)
        # from shares of the frame's side to corners of pixels of the photograph of the whole foot
        frame = (
            np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
            @ foot.grid
            @ np.array([[size, 0, -0.5], [0, size, -0.5], [0, 0, 1]])
        )
        total += sample((foot.outline > 0.5).astype(np.float32), frame, TEMPLATE_SIZE)[0]
    return torch.from_numpy(total / len(feet)).float()


def make_training(scenes: Scenes, iterations: int, seed: int, settings: dict[str, Any]) -> Any:
    """The training of the shipped network."""
    recipe = Recipe(
        iterations,
        learning_rate=4e-3,
        weight_decay=1e-3,
        averaging=0.995,
        largest_gradient=2.0,
        interval=50,
        seed=seed,
    )
    return SmallTraining[FootSegmenter, SceneBatch](
        FootSegmenter, partial(scene_batch, scenes), loss_of_batch, recipe, settings
    )


def photographs(cache: Path, seeds: Sequence[int], run: Runner) -> list[WholeFoot]:
    """Whole feet of seeds; those that are made are kept in a file, a later call reads them.

    Raises:
        UsageError: the file is of other seeds or of another simulator.
    """
    if cache.is_file():
        with np.load(cache) as kept:
            if str(kept["simulator"]) != FOOT_SIMULATOR_VERSION or kept["seeds"].tolist() != list(seeds):
                raise UsageError(f"file {cache.name}", "must hold the feet asked for", "others", "Remove it.")
            parts = [kept[name] for name in ("photographs", "outlines", "heels", "pixel_mm", "grids")]
        return [
            WholeFoot(
                a.astype(np.float32) / 255,
                b.astype(np.float32) / 255,
                {"heel": (float(c[0]), float(c[1]))},
                float(d),
                e,
            )
            for a, b, c, d, e in zip(*parts, strict=True)
        ]
    feet = list(run(photograph_whole_foot, list(seeds)))
    with whole_file(cache) as draft, draft.open("wb") as stream:
        np.savez_compressed(
            stream,
            allow_pickle=False,
            simulator=FOOT_SIMULATOR_VERSION,
            seeds=np.array(seeds),
            photographs=np.stack([_bytes(foot.photograph) for foot in feet]),
            outlines=np.stack([_bytes(foot.outline) for foot in feet]),
            heels=np.array([foot.points["heel"] for foot in feet]),
            pixel_mm=np.array([foot.pixel_mm for foot in feet]),
            grids=np.stack([foot.grid for foot in feet]),
        )
    return feet


def _bytes(image: np.ndarray) -> np.ndarray:
    return np.rint(image * 255).astype(np.uint8)


def films(folder: Path | None) -> np.ndarray:
    """Radiographs [M,256,256] uint8 of a folder that ``xray2mri simulate-feet`` wrote; none of no folder."""
    found = sorted(folder.glob("*/xray.png")) if folder else []
    if folder and not found:
        raise UsageError("option films", "must be a folder of simulated feet", folder.name)
    pictures = [(np.asarray(Image.open(file)) >> 8).astype(np.uint8) for file in found]
    return np.stack(pictures) if pictures else np.empty((0, 256, 256), np.uint8)


@torch.inference_mode()
def judge(network: FootSegmenter, scenes: Scenes, number: int = JUDGED) -> dict[str, Any]:
    """What a network reaches on scenes: overlap of outlines, what each kind of limb is taken for how often."""
    overlaps: list[float] = []
    told: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for first in range(0, number, _BATCH):
        batch = stacked([scenes.scene(place) for place in range(first, min(first + _BATCH, number))])
        mask, found = network(batch[0])
        for limb, kinds, one, kind in zip(batch[1], batch[2], mask, found, strict=True):
            truth, seen = limb[0] > 0.5, one[0] > 0
            if not truth.any():
                continue
            overlaps.append(float(2 * (truth & seen).sum() / (truth.sum() + seen.sum())))
            inside = kinds >= 0
            if inside.any():
                right = int(kinds[inside].mode().values)
                votes = kind.softmax(0)[:, inside].mean(1)
                told[KINDS[right]][KINDS[int(votes.argmax())]] += 1
    return {
        "scenes": number,
        "dice_median": round(float(np.median(overlaps)), 4),
        "dice_5th_percentile": round(float(np.percentile(overlaps, 5)), 4),
        "taken_for": {
            kind: {name: round(count / votes.total(), 3) for name, count in votes.most_common()}
            for kind, votes in told.items()
            if votes
        },
    }


def train_from_simulation(
    output: Path,
    *,
    feet: int,
    films_folder: Path | None,
    iterations: int,
    run: Runner,
    seed: int = 0,
    minutes: float | None = None,
    progress: bool = False,
) -> bool:
    """Simulate photographs, train, write the weights and ``<output>.json`` with what they reach.

    Args:
        output: file of the weights.
        feet: simulated ones of the training range.
        films_folder: of ``xray2mri simulate-feet``, whose radiographs are shown as what is no photograph, the last
            quarter of them in judging; None: none.
        iterations: steps.
        run: runs the simulation.
        seed: of everything random.
        minutes: how long at most.
        progress: show a progress bar on stderr.

    Returns:
        Whether the run is complete; the weights are written only then.

    Raises:
        Xray2MRIError: another run's checkpoint or feet, a file that cannot be written.
    """
    pictures = films(films_folder)
    known = photographs(output.with_suffix(".training.npz"), TRAINING[:feet], run)
    settings = {"feet": feet, "films": len(pictures), "simulator": FOOT_SIMULATOR_VERSION}
    shown = 3 * len(pictures) // 4  # the others are for judging
    training = make_training(Scenes(known, pictures[:shown], seed), iterations, seed, settings)
    if not training.run(output, minutes, progress=progress):
        return False
    training.average.template.copy_(mean_outline(known))
    save_state(training.average, output, half=True)
    unseen = photographs(output.with_suffix(".validation.npz"), VALIDATION[: max(feet // 8, 2)], run)
    judged = judge(training.average, Scenes(unseen, pictures[shown:], seed + 1))
    record = {"iterations": iterations, **settings, "seed": seed, "judged": judged}
    write_whole(output.with_suffix(".json"), json.dumps(record, indent=2).encode() + b"\n")
    return True
