"""MONAI inferer of the knee bundles: sampling options per request, the network made once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from monai.data import MetaTensor, decollate_batch
from monai.inferers import Inferer

from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.diffusion.options import Options
from monai_xray2mri.types import Side


class SliceDiffusionInferer(Inferer):
    """Samples one volume per radiograph of the batch; of several samples the mean.

    Noise and features are those of :class:`~monai_xray2mri.systems.knee_xray2mri.predictor.Xray2MRI`, if the batch has
    the meta data of :class:`~monai_xray2mri.systems.knee_xray2mri.transforms.LoadKneeRegiond`. A radiograph without
    them counts as a right knee of unknown features, and its pixels are its identity.

    Options may be numbers, numeric strings or empty (clients of MONAI Label send all three); empty and None stand for
    the model's default, and so does 0 where 0 is no value of the option.
    :class:`~monai_xray2mri.diffusion.options.Options` says what they mean.

    Args:
        seed: seed of the noise; every radiograph, side and sample derives its own from it.
        steps: sampling steps.
        slices: slices over the modelled range.
        guidance: guidance scale.
        feature_guidance: of the features alone.
        samples: volumes per radiograph, each with noise of its own; the first is that of one sample alone.
        eta: DDIM eta.
        noise_shared: share of the noise that all slices have in common.
        noise_length_mm: how far along depth the finest noise is alike.
        noise_aspect: growth of that length per wavelength in the plane.
        dtype: what the networks compute in.
        chunk: slices that are computed together.

    Raises:
        UsageError: a value out of range.
    """

    def __init__(
        self,
        seed: Any = 0,
        steps: Any = None,
        slices: Any = None,
        guidance: Any = None,
        feature_guidance: Any = None,
        samples: Any = None,
        eta: Any = None,
        noise_shared: Any = None,
        noise_length_mm: Any = None,
        noise_aspect: Any = None,
        dtype: Any = None,
        chunk: Any = None,
    ) -> None:
        super().__init__()
        self.options = Options(
            seed=int(seed or 0),
            samples=int(samples or 0) or 1,
            steps=int(steps or 0) or None,
            slices=int(slices or 0) or None,
            guidance=float(guidance or 0) or None,
            feature_guidance=float(feature_guidance or 0) or None,
            eta=_number(eta),
            noise_shared=_number(noise_shared),
            noise_length_mm=float(noise_length_mm or 0) or None,
            noise_aspect=_number(noise_aspect),
            dtype=str(dtype or "auto"),
            chunk=int(chunk or 0) or Options.chunk,
        )

    def __call__(
        self, inputs: torch.Tensor, network: Any, features: torch.Tensor | None = None, *_: Any, **__: Any
    ) -> torch.Tensor:
        """Radiographs [B,1,H,W] in [-1,1], one-hot features [B,61] or None, to volumes [B,1,H,W,S] in [-1,1].

        Features that are given replace those of the meta data.
        """
        self.options.check(network.schedule.steps)
        volumes = []
        for index, case in enumerate(_cases(inputs)):
            known = case.features if features is None else features[index : index + 1]
            with torch.inference_mode():
                condition = network.condition(case.film, known)
            mean = torch.zeros(())
            for sample in range(self.options.samples):
                generator = case_generator(self.options.seed, case.identity, case.side, sample)
                mean = mean + (self._sample(condition, network, generator) - mean) / (sample + 1)  # [1,1,S,H,W]
            volumes.append(mean.permute(0, 1, 3, 4, 2))
        return torch.cat(volumes)

    def _sample(self, condition: Any, network: Any, generator: torch.Generator) -> torch.Tensor:
        chosen, sampler = self.options, self.options.sampler(network.sampler)
        volume: torch.Tensor = network.sample(
            condition,
            noise=network.draw_noise(generator, sampler),
            sampler=sampler,
            slices=chosen.slices,
            chunk=chosen.chunk,
            dtype=chosen.precision,
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


def _number(value: Any) -> float | None:
    return None if value is None or value == "" else float(value)
