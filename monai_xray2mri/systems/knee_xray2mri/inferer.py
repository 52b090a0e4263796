"""MONAI inferer of the knee bundles: sampling options per request, the network made once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.data import MetaTensor, decollate_batch
from monai.inferers import Inferer

from monai_xray2mri.core.bundles import require_weights_of
from monai_xray2mri.core.options import read_options, require_known
from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.diffusion.precision import DTYPES
from monai_xray2mri.systems.knee_xray2mri.options import SAMPLING_OPTIONS, KneeSampling, knee_sampling
from monai_xray2mri.types import Side


class SliceDiffusionInferer(Inferer):
    """Samples one volume per radiograph of the batch; of several samples the mean.

    Noise and features are those of :class:`~monai_xray2mri.systems.knee_xray2mri.predictor.Xray2MRI`, if the batch has
    the meta data of :class:`~monai_xray2mri.systems.knee_xray2mri.transforms.LoadKneeRegiond`. A radiograph without
    them counts as a right knee of unknown features, and its pixels are its identity.

    Args:
        bundle_root: folder of the bundle whose weights the network must have; None: they are not compared.
        **options: of :data:`~monai_xray2mri.systems.knee_xray2mri.options.SAMPLING_OPTIONS`: numbers, numeric texts or
            empty, as clients of MONAI Label send them. Empty and None stand for the model's default, and so does 0
            where 0 is no value of the option.

    Raises:
        UsageError: an option is unknown or out of range.
        WeightsError: the network lacks weights of the bundle, or has others.
    """

    def __init__(self, bundle_root: str | None = None, **options: Any) -> None:
        super().__init__()
        self.bundle_root, self.options = bundle_root, options  # read when called: errors keep their kind

    def __call__(
        self, inputs: torch.Tensor, network: Any, features: torch.Tensor | None = None, *_: Any, **__: Any
    ) -> torch.Tensor:
        """Radiographs [B,1,H,W] in [-1,1], one-hot features [B,61] or None, to volumes [B,1,H,W,S] in [-1,1].

        Features that are given replace those of the meta data.
        """
        require_known(self.options, SAMPLING_OPTIONS)
        chosen = knee_sampling(network, **read_options(SAMPLING_OPTIONS, self.options))
        if self.bundle_root is not None:
            require_weights_of(Path(self.bundle_root), network)
        volumes = []
        for index, case in enumerate(_cases(inputs)):
            known = case.features if features is None else features[index : index + 1]
            with torch.inference_mode():
                condition = network.condition(case.film, known)
            mean = torch.zeros(())
            for sample in range(chosen.samples):
                generator = case_generator(chosen.seed, case.identity, case.side, sample)
                mean = mean + (_sample(network, condition, generator, chosen) - mean) / (sample + 1)  # [1,1,S,H,W]
            volumes.append(mean.permute(0, 1, 3, 4, 2))
        return torch.cat(volumes)


def _sample(network: Any, condition: Any, generator: torch.Generator, chosen: KneeSampling) -> torch.Tensor:
    volume: torch.Tensor = network.sample_volume(
        condition,
        noise=network.draw_noise(generator, chosen.sampler),
        settings=chosen.sampler,
        slices=chosen.slices,
        chunk=chosen.chunk,
        dtype=DTYPES[chosen.dtype],
    )
    return volume


@dataclass(frozen=True)
class _Case:
    """One radiograph of a batch.

    Attributes:
        film: [1,1,H,W].
        identity: of the radiograph.
        side: which knee it is.
        features: [1,61]; None: unknown.
    """

    film: torch.Tensor
    identity: str
    side: Side
    features: torch.Tensor | None


def _cases(inputs: torch.Tensor) -> Iterator[_Case]:
    """The radiographs of a batch [B,1,H,W], with what their meta data tell.

    MONAI's loader collates meta data; MONAI Label puts an axis before one radiograph and leaves its meta data alone.
    """
    plain = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
    metas: list[Mapping[str, Any]] = [{}] * len(inputs)
    if isinstance(inputs, MetaTensor):
        metas = [one.meta for one in decollate_batch(inputs)] if inputs.is_batch else [inputs.meta] * len(inputs)
    for film, meta in zip(plain.split(1), metas, strict=True):
        identity = meta.get("identity") or hashlib.sha256(film.cpu().numpy().tobytes()).hexdigest()
        features = meta.get("features")
        if features is not None:
            features = torch.as_tensor(features).to(film)[None]
        yield _Case(film, str(identity), Side(meta.get("side", Side.RIGHT)), features)
