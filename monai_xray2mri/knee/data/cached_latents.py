"""Latents of a cache of knees, and the batches that a denoiser is trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.data.arrays import IMAGE_SIZE, SLICES
from monai_xray2mri.knee.data.cache import CacheShard, KneeCache, count_done
from monai_xray2mri.knee.data.film_styles import FilmStyle
from monai_xray2mri.knee.data.jitter import BoxJitter
from monai_xray2mri.knee.data.latents import SliceEncoder, SliceNetwork, state_digest
from monai_xray2mri.knee.grading.features import FEATURES
from monai_xray2mri.knee.grading.guide_numbers import joint_space_code, trait_code
from monai_xray2mri.radiograph.knee.region import normalize_region
from monai_xray2mri.radiograph.resampling import cut_box
from monai_xray2mri.training.recipe.stage import Turn
from monai_xray2mri.training.store import ArraySpec
from monai_xray2mri.training.weights import freeze_autoencoder

GUIDES: Final = ("features", "traits", "joint_space")
AS_DRAWN: Final = 0
TWIN: Final = 1
_BEFORE_KL: Final = sum(feature.width for feature in FEATURES[: [feature.stem for feature in FEATURES].index("XRKL")])
_KL: Final = slice(_BEFORE_KL, _BEFORE_KL + 5)


def frozen_network(bundle: Path, configurations: Sequence[str], autoencoder: Path) -> Any:
    """The network of a bundle with another autoencoder, frozen; the rest of it is random.

    Args:
        bundle: its folder.
        configurations: files that change the network.
        autoencoder: file of the weights.

    Raises:
        WeightsError: the weights are missing or do not fit.
    """
    from monai.bundle import ConfigParser  # seconds of a CPU, which whoever reads no configuration saves

    parser = ConfigParser()
    parser.read_config([str(bundle / "configs" / "inference.json"), *configurations])
    return freeze_autoencoder(parser.get_parsed_content("network_def"), autoencoder)


class LatentCache:
    """Encodings of a cache by one autoencoder, in shards beside it.

    For P slices of a knee and of its twin, and V looks at its film:

    ================  =======  ============================================================================
    array             type     meaning
    ================  =======  ============================================================================
    ``latents``       float16  [2,P,C,h,w], of the slices, not scaled
    ``views``         uint8    [V,H,W], looks at the film, 0..255 for [-1,1]: each with a box and a style of its own
    ``view_latents``  float16  [V,C,h,w], of these, drawn to the scale of the slices, not scaled
    ================  =======  ============================================================================

    Args:
        cache: the knees.
        network: its autoencoder encodes.
        views: looks at each film.
        jitter: how boxes err.
        style: how films differ.
        seed: of boxes and styles.
    """

    def __init__(
        self,
        cache: KneeCache,
        network: SliceNetwork,
        *,
        views: int = 4,
        jitter: BoxJitter | None = None,
        style: FilmStyle | None = None,
        seed: int = 0,
    ) -> None:
        self.cache, self.network, self.views, self.seed = cache, network, views, seed
        self.jitter, self.style = jitter or BoxJitter(), style or FilmStyle()

    @cached_property
    def encoder(self) -> SliceEncoder:
        """The encoder, in the precision that serves."""
        encoder = SliceEncoder(self.network)
        if encoder.low_precision and self.cache.done():
            encoder.settle_precision(_pictures(self.cache.open(0).array("slices")[0, AS_DRAWN]))
        return encoder

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What the encodings depend on beside the knees."""
        network = self.network
        return {
            "autoencoder": state_digest(network.autoencoder),
            "low_precision": self.encoder.low_precision,
            "radiograph_scale": [network.align, network.magnification, network.region_mm, network.pixel_mm],
            "views": self.views,
            "jitter": list(astuple(self.jitter)),
            "style": list(astuple(self.style)),
            "seed": self.seed,
        }

    @property
    def folder(self) -> Path:
        """Where the shards lie."""
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:12]
        return self.cache.folder / f"latents_{digest}"

    def arrays(self) -> dict[str, ArraySpec]:
        """What is kept of each knee."""
        latent = self.network.latent_shape()
        return {
            "latents": ArraySpec("float16", (2, self.cache.slices, *latent)),
            "views": ArraySpec("uint8", (self.views, IMAGE_SIZE, IMAGE_SIZE)),
            "view_latents": ArraySpec("float16", (self.views, *latent)),
        }

    def done(self) -> int:
        """Number of knees that are encoded."""
        return count_done(self.cache.folders(self.folder))

    def open(self, number: int) -> CacheShard:
        """Encodings of a shard, made if they are not there.

        Raises:
            UsageError: others lie there, or there is no room.
        """
        index = {**self.cache.index(number), **self.settings}
        return CacheShard.create(self.cache.folders(self.folder)[number], self.cache.shard, index, self.arrays())

    def encode_missing(self, turn: Turn) -> None:
        """Encode what is missing of the complete knees.

        Raises:
            UsageError: there is no room.
        """
        for number, knees in enumerate(self.cache.shards()):
            shard = self.open(number)
            for row in np.flatnonzero(~shard.done).tolist():
                if turn.over():
                    return
                shard.write(row, self._encoded(knees, row))
                turn.tell()

    def _encoded(self, knees: CacheShard, row: int) -> dict[str, np.ndarray]:
        slices, film = knees.array("slices")[row], knees.array("film")[row]
        views = np.stack([self._view(film, knees.index["knees"][row], number) for number in range(self.views)])
        gray = np.rint((views + 1) * 127.5).astype(np.uint8)
        latents = self.encoder.slices(_pictures(slices.reshape(-1, *slices.shape[2:])))  # [2*P,C,h,w]
        return {
            "latents": latents.unflatten(0, slices.shape[:2]).half().numpy(),
            "views": gray,
            "view_latents": self.encoder.radiographs(_pictures(gray)).half().numpy(),
        }

    def _view(self, film: np.ndarray, knee: int, number: int) -> np.ndarray:
        generator = draw_generator("view", self.seed, knee, number)
        box = self.jitter.draw(generator)
        styled = self.style.draw(film.astype(np.float32) / 65535, generator)
        return normalize_region(cut_box(styled, box), mirrored=False, size=IMAGE_SIZE)


def _pictures(gray: np.ndarray) -> Tensor:
    """[N,H,W] uint8 to [N,1,H,W] in [-1,1]."""
    return torch.from_numpy(gray.astype(np.float32))[:, None] / 127.5 - 1


class CachedLatents(Dataset[dict[str, Tensor]]):
    """Whole batches of latents of a cache; an item of this set is a list of numbers of its N x P slices.

    A batch has the names of :mod:`monai_xray2mri.training.denoiser`. With twins it holds each slice as drawn, then the
    same slices of the twins, with one look at each film (``image_of``); ``counterfactual`` is 1 for twins.

    Args:
        latents: of a cache whose knees are all encoded.
        seed: of which look at a film an item shows.
        twins: whether twins are seen.
        lesion_weight: added to the weight of 1 where a lesion of the knee as drawn or of its twin lies.
        guide: what guides, in this order: ``"features"``, ``"traits"``, ``"joint_space"`` of the film
            (:mod:`~monai_xray2mri.knee.grading.guide_numbers`).
        joint_space_error_mm: standard deviation of the error that is added to the guide's joint spaces; those that are
            read in a film have an error, too.

    Raises:
        UsageError: some knees are not encoded, or a guide of another name.
    """

    def __init__(
        self,
        latents: LatentCache,
        *,
        seed: int = 0,
        twins: bool = True,
        lesion_weight: float = 0.0,
        guide: Sequence[str] = ("features",),
        joint_space_error_mm: float = 0.5,
    ) -> None:
        if unknown := set(guide) - set(GUIDES):
            raise UsageError("guide", f"must be of {', '.join(GUIDES)}", ", ".join(sorted(unknown)))
        self.guide, self.joint_space_error_mm = tuple(guide), joint_space_error_mm
        cache = latents.cache
        if (done := latents.done()) < len(cache):
            raise UsageError(
                f"cache {cache.folder.name}", f"needs latents of {len(cache)} knees", f"{done}", "Encode them first."
            )
        self.cache, self.views, self.kinds = cache, latents.views, (AS_DRAWN, TWIN)[: 1 + twins]
        self.seed, self.lesion_weight, self.epoch = seed, lesion_weight, 0
        shards = range(len(cache.folders()))
        self._knees, self._latents = [cache.open(one) for one in shards], [latents.open(one) for one in shards]

    def set_epoch(self, epoch: int) -> None:
        """Draw other looks at the films from now on."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of slices as drawn."""
        return len(self.cache) * self.cache.slices

    @cached_property
    def standard_deviation(self) -> float:
        """Standard deviation of all numbers of the latents of knees as drawn."""
        moments = np.zeros(3)
        for shard in self._latents:
            for knee in range(len(shard)):
                values = shard.array("latents")[knee, AS_DRAWN].astype(np.float64)
                moments += values.size, values.sum(), np.square(values).sum()
        count, total, squares = moments
        return float(np.sqrt(squares / count - (total / count) ** 2))

    def __getitem__(self, items: Sequence[int]) -> dict[str, Tensor]:
        """The slices of these numbers, for a ``DataLoader`` with ``batch_size=None``."""
        return self._batch(items)

    def _batch(self, items: Sequence[int], together: int = 1) -> dict[str, Tensor]:
        """Slices ``items``, each followed by ``together`` - 1 more of its knee, under one look at the film."""
        films = _stacked([self._film(item) for item in items])
        films["image"] = films["image"][:, None] / 127.5 - 1
        chosen = [(kind, item, item + number) for kind in self.kinds for item in items for number in range(together)]
        slices = _stacked([self._slice(item, kind, look) for kind, look, item in chosen])
        slices["place"] = slices["place"] / (SLICES - 1)
        slices["weight"] = 1 + self.lesion_weight * slices["weight"][:, None]
        if len(chosen) > len(items):
            films["image_of"] = torch.arange(len(items)).repeat_interleave(together).repeat(len(self.kinds))
        return films | slices

    def _place(self, item: int) -> tuple[CacheShard, CacheShard, int, int]:
        """Shards of an item, its knee's row in them, and the place of the slice in the row."""
        knee, place = divmod(item, self.cache.slices)
        number, row = divmod(knee, self.cache.shard)
        return self._knees[number], self._latents[number], row, place

    def _film(self, item: int) -> dict[str, Any]:
        knees, latents, row, _ = self._place(item)
        grade = np.argmax(knees.array("features")[row, AS_DRAWN][_KL])
        view = int(draw_generator("look", self.seed, self.epoch, item).integers(self.views))
        return {
            "image": latents.array("views")[row, view],
            "image_latent": latents.array("view_latents")[row, view],
            "reading": np.array([*knees.array("film_joint_space")[row], grade], np.float32),
        }

    def _slice(self, item: int, kind: int, look: int) -> dict[str, Any]:
        knees, latents, row, place = self._place(item)
        return {
            "latent": latents.array("latents")[row, kind, place],
            "guide": np.concatenate([self._guide(name, knees, row, kind, look) for name in self.guide]),
            "place": knees.array("positions")[row, place],
            "weight": knees.array("lesions")[row, place],
            "counterfactual": np.float32(kind == TWIN),
        }

    def _guide(self, name: str, knees: CacheShard, row: int, kind: int, look: int) -> np.ndarray:
        if name == "features":
            return knees.array("features")[row, kind]
        if name == "traits":
            return trait_code(*knees.array("traits")[row].tolist())
        error = draw_generator("joint space", self.seed, self.epoch, look).standard_normal(2)
        return joint_space_code(knees.array("film_joint_space")[row] + self.joint_space_error_mm * error)


def _stacked(parts: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """Items as float32 batches."""
    return {name: torch.from_numpy(np.stack([part[name] for part in parts]).astype(np.float32)) for name in parts[0]}
