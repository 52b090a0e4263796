"""Training of a knee bundle's small decoder (:mod:`monai_xray2mri.systems.knee_xray2mri.faster`).

``xray2mri train-part small-decoder`` trains it on a set of knees, :class:`DistilledDecoder` is the same as a stage of a
recipe. The encoder and the latents stay as they are. The network learns to draw what the bundle's own decoder draws and
what the slice itself shows; half of each batch are latents with added noise, because those that a sampler ends with are
not quite those of true slices. What it reaches on other knees stands beside its weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.core.bundles import load_network_of
from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.diffusion.latent_diffusion import use_channels_last
from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.metrics import psnr_per_slice
from monai_xray2mri.evaluation.structure import ssim_per_slice
from monai_xray2mri.knee.data.cache import KneeCache
from monai_xray2mri.knee.data.cached_latents import AS_DRAWN, LatentCache
from monai_xray2mri.knee.data.cached_slices import CachedSlices
from monai_xray2mri.knee.data.latents import LatentSlices
from monai_xray2mri.knee.data.slices import StoredSlices, TrainingSlices, ValidationSlices
from monai_xray2mri.networks.small_decoder import SmallDecoder
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.systems.knee_xray2mri.faster import autoencoder_digest
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.training.recipe.configured import checkpoint_step
from monai_xray2mri.training.recipe.stage import Progress, Turn
from monai_xray2mri.training.small_networks import Recipe, SmallTraining
from monai_xray2mri.training.trained import read_network
from monai_xray2mri.training.weights import freeze_autoencoder, write_saved

Batch = tuple[Tensor, Tensor]
"""Scaled latents [2N,C,h,w], the second half with noise, and slices [N,1,H,W] in [-1,1] of the first half."""
LARGEST_LOSS_DB: Final = 0.1
LARGEST_LOSS_SSIM: Final = 0.005
"""How much worse than the bundle's own decoder a small one may be, against the truth, to become the default."""
_NOISE: Final = 0.3
"""Largest standard deviation of the noise that latents of unit variance get."""
_DECODED: Final = 8


class Pairs(Protocol):
    """Slices with their latents."""

    def __len__(self) -> int:
        """Number of slices."""
        ...

    def latent(self, item: int) -> Tensor:
        """Latent [C,h,w] of a slice, not scaled."""
        ...

    def target(self, item: int) -> Tensor:
        """The slice [1,H,W] in [-1,1]."""
        ...


class StoredPairs:
    """Pairs of a stored set (``xray2mri simulate-set``, ``prepare``); the first use encodes it.

    Args:
        source: the slices.
        network: its autoencoder encodes.
    """

    def __init__(self, source: StoredSlices, network: SliceDiffusion) -> None:
        self.source, self.target = source, source.target
        self.encoded = LatentSlices(source, network, draws=1).store.array("slices")

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.source)

    def latent(self, item: int) -> Tensor:
        """Latent [C,h,w] of a slice, not scaled."""
        return torch.from_numpy(self.encoded[self.source.row_of(item)].astype(np.float32))


class CachedPairs:
    """Pairs of a recipe's cache, knees as drawn, whose latents are all made.

    Args:
        latents: of the cache.
    """

    def __init__(self, latents: LatentCache) -> None:
        self.cache = latents.cache
        self._slices = CachedSlices(latents.cache)
        self.target = self._slices.target
        self._shards = [latents.open(number) for number in range(len(latents.cache.folders()))]

    def __len__(self) -> int:
        """Number of slices."""
        return len(self._slices)

    def latent(self, item: int) -> Tensor:
        """Latent [C,h,w] of a slice, not scaled."""
        knee, place = divmod(item, self.cache.slices)
        number, row = divmod(knee, self.cache.shard)
        return torch.from_numpy(self._shards[number].array("latents")[row, AS_DRAWN, place].astype(np.float32))


class Distillation:
    """What a step of the training sees, and its loss.

    Args:
        network: with the decoder that is learned from, and the latent scale.
        pairs: slices with their latents.
        slices: of a batch; as many latents with noise come to them.
        seed: of the draws.
    """

    def __init__(self, network: SliceDiffusion, pairs: Pairs, slices: int = 4, seed: int = 0) -> None:
        self.network, self.pairs, self.slices, self.seed = network, pairs, slices, seed

    def batch(self, step: int) -> Batch:
        """What a step sees, the same whenever it is asked for."""
        random = draw_generator("small decoder", self.seed, step)
        first, second = random.integers(len(self.pairs), size=(2, self.slices)).tolist()
        latents = torch.stack([self.pairs.latent(item) for item in first + second]) * self.network.latent_scale
        spread = random.uniform(0, _NOISE, (self.slices, 1, 1, 1))
        noise = spread * random.standard_normal((self.slices, *latents.shape[1:]))
        latents[self.slices :] += torch.from_numpy(noise.astype(np.float32))
        return latents, torch.stack([self.pairs.target(item) for item in first])

    def loss(self, decoder: SmallDecoder, batch: Batch) -> Tensor:
        """Mean squared difference from the large decoder's images, and from the slices where there are some."""
        latents, slices = batch
        drawn = decoder(latents)
        wanted = decoded(self.network, latents)
        return (drawn - wanted).square().mean() + (drawn[: len(slices)] - slices).square().mean()


@torch.no_grad()
def decoded(network: SliceDiffusion, latents: Tensor) -> Tensor:
    """Images [B,1,H,W] of scaled latents [B,C,h,w] by the bundle's own decoder, not clamped."""
    images: Tensor = network.autoencoder.decode(latents / network.latent_scale)
    return images


class Judge:
    """PSNR in dB and SSIM of decoders on slices that they have not seen, against the slices.

    Args:
        network: with the bundle's own decoder.
        pairs: slices with their latents.
        count: how many of them, evenly spread.
    """

    def __init__(self, network: SliceDiffusion, pairs: Pairs, count: int = 48) -> None:
        items = np.unique(np.linspace(0, len(pairs) - 1, count).round().astype(int)).tolist()
        self.latents = torch.stack([pairs.latent(item) for item in items]) * network.latent_scale
        self.slices = torch.stack([pairs.target(item) for item in items])[:, 0].numpy()
        self.large = self._measured(lambda latents: decoded(network, latents))

    @torch.inference_mode()
    def _measured(self, decode: Callable[[Tensor], Tensor]) -> dict[str, float]:
        found = torch.cat([decode(part) for part in self.latents.split(_DECODED)])[:, 0].clamp(-1, 1).numpy()
        return {
            "psnr": round(psnr_per_slice(found, self.slices, 2.0), 3),
            "ssim": round(ssim_per_slice(found, self.slices, 2.0), 4),
        }

    def look(self, decoder: SmallDecoder) -> dict[str, Any]:
        """What a decoder reaches."""
        return self._measured(decoder)

    def verdict(self, decoder: SmallDecoder) -> dict[str, Any]:
        """Both decoders, and whether the small one may become the default."""
        small = self.look(decoder)
        lost = {name: round(self.large[name] - small[name], 4) for name in small}
        may = lost["psnr"] < LARGEST_LOSS_DB and lost["ssim"] < LARGEST_LOSS_SSIM
        return {"slices": len(self.slices), "large": self.large, "small": small, "lost": lost, "default": may}


def make_training(
    network: SliceDiffusion,
    pairs: Pairs,
    iterations: int,
    *,
    seed: int = 0,
    slices: int = 4,
    learning_rate: float = 1e-3,
    **architecture: Any,
) -> SmallTraining[SmallDecoder, Batch]:
    """The training of a small decoder.

    Args:
        network: of the bundle, frozen.
        pairs: slices with their latents.
        iterations: steps.
        seed: of start and draws.
        slices: of a batch; as many latents with noise come to them.
        learning_rate: the highest.
        **architecture: ``channels`` and ``blocks`` of :class:`~monai_xray2mri.networks.small_decoder.SmallDecoder`.
    """

    def make() -> SmallDecoder:
        autoencoder = network.autoencoder
        decoder = SmallDecoder(autoencoder.latent_channels, factor=autoencoder.factor, **architecture)
        use_channels_last(decoder)
        return decoder

    work = Distillation(network, pairs, slices, seed)
    settings = {
        "slices": len(pairs),
        "batch": slices,
        "autoencoder": autoencoder_digest(network),
        **{name: list(value) for name, value in architecture.items()},
    }
    recipe = Recipe(
        iterations, learning_rate, weight_decay=0.0, averaging=0.995, largest_gradient=1.0, interval=100, seed=seed
    )
    return SmallTraining(make, work.batch, work.loss, recipe, settings)


def write_decoder(
    training: SmallTraining[SmallDecoder, Batch], judge: Judge, network: SliceDiffusion, output: Path
) -> dict[str, Any]:
    """Write the weights, and ``<output>.json`` with what they belong to and what they reach; returns the latter."""
    record = {
        "autoencoder": autoencoder_digest(network),
        "latent_scale": float(network.latent_scale),
        "architecture": {name: training.settings[name] for name in ("channels", "blocks") if name in training.settings},
        "iterations": training.step,
        "seed": training.recipe.seed,
        "quality": judge.verdict(training.average),
    }
    state = training.average.state_dict()
    write_saved({name: value.half().contiguous() for name, value in state.items()}, output)
    write_whole(output.with_suffix(".json"), json.dumps(record, indent=2).encode() + b"\n")
    return record


def train_from_set(
    bundle: Path,
    data: Path,
    validation: Path,
    output: Path,
    *,
    iterations: int = 20000,
    seed: int = 0,
    minutes: float | None = None,
    progress: bool = False,
) -> dict[str, Any] | None:
    """Train a small decoder on a stored set, and judge it on another.

    Args:
        bundle: with its weights.
        data: folder of the set; its latents are made beside it at first.
        validation: folder of a set of the validation split.
        output: file of the weights; in a bundle it is ``models/small_decoder/weights.pt``.
        iterations: steps.
        seed: of start and draws.
        minutes: how long at most.
        progress: show a progress bar on stderr.

    Returns:
        The record that is written beside the weights; None, and nothing written, if steps are left.

    Raises:
        Xray2MRIError: the bundle or a set cannot be used, the checkpoint is another run's, a file cannot be written.
    """
    network = load_network_of(bundle, SliceDiffusion, "training/few_steps.md").requires_grad_(False)
    pairs = StoredPairs(TrainingSlices(data), network)
    judge = Judge(network, StoredPairs(ValidationSlices(validation), network))
    training = make_training(network, pairs, iterations, seed=seed)
    output.parent.mkdir(parents=True, exist_ok=True)
    if not training.run(output, minutes, judge.look, progress):
        return None
    return write_decoder(training, judge, network, output)


class DistilledDecoder:
    """The training of a small decoder as a stage of a recipe: ``weights.pt`` and ``weights.json`` in its folder.

    Args:
        folder: of weights, checkpoint and log.
        iterations: steps.
        bundle: folder of the bundle whose network it belongs to.
        weights: file of that network's weights, which an earlier stage has left.
        autoencoder: file of the autoencoder's weights that the latents were made with; those in ``weights`` may be
            rounded to half precision.
        cache: folder of the knees; an earlier stage has made their latents.
        knees: how many.
        validation: folder of a set of the validation split.
        configurations: of the network, behind ``train.json``.
        seed: of start and draws.
        views: looks at each film that the latents were made with.
        options: of the cache.
    """

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        folder: str | Path,
        iterations: int,
        bundle: str | Path,
        weights: str | Path,
        autoencoder: str | Path,
        cache: str | Path,
        knees: int,
        validation: str | Path,
        configurations: Sequence[str] = (),
        seed: int = 0,
        views: int = 4,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.output, self.iterations, self.seed = Path(folder) / "weights.pt", iterations, seed
        self.bundle, self.weights, self.autoencoder = Path(bundle), Path(weights), Path(autoencoder)
        self.configurations, self.validation, self.views = list(configurations), Path(validation), views
        self.cache = KneeCache(cache, knees=knees, **(options or {}))

    def progress(self) -> Progress:
        """Steps that are done, as checkpoint and record say; the last one when the record is written."""
        if self.output.with_suffix(".json").is_file():
            return Progress(self.iterations, self.iterations, "steps")
        done = checkpoint_step(self.output.with_suffix(".checkpoint"))
        return Progress(min(done, self.iterations - 1), self.iterations, "steps")

    def work(self, turn: Turn) -> None:
        """Train on from the checkpoint.

        Raises:
            Xray2MRIError: the latents are missing, weights do not fit, a file cannot be written.
        """
        network: Any = read_network(self.weights, self.bundle, self.configurations, "cpu").requires_grad_(False)
        encoder = freeze_autoencoder(deepcopy(network), self.autoencoder)
        latents = LatentCache(self.cache, encoder, views=self.views)
        if (done := latents.done()) < len(self.cache):
            rule, remedy = f"needs latents of {len(self.cache)} knees", "Encode them in an earlier stage."
            raise UsageError(f"cache {self.cache.folder.name}", rule, str(done), remedy)
        judge = Judge(network, StoredPairs(ValidationSlices(self.validation), network))
        training = make_training(network, CachedPairs(latents), self.iterations, seed=self.seed)
        self.output.parent.mkdir(parents=True, exist_ok=True)

        def look(decoder: SmallDecoder) -> dict[str, Any]:
            turn.tell(training.recipe.interval)
            return judge.look(decoder)

        if training.run(self.output, turn.minutes, look):
            write_decoder(training, judge, network, self.output)
