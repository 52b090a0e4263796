"""MONAI inferer of the knee bundles: sampling options per request, the network made once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from monai.inferers import Inferer

from monai_xray2mri.core.batches import identity_of, items_of
from monai_xray2mri.core.bundles import require_weights_of
from monai_xray2mri.core.options import read_options, require_known
from monai_xray2mri.knee.grading.features import one_hot
from monai_xray2mri.systems.knee_xray2mri.drawing import KneeView, condition_of, draw_slices
from monai_xray2mri.systems.knee_xray2mri.faster import FasterParts
from monai_xray2mri.systems.knee_xray2mri.options import SAMPLING_OPTIONS, knee_sampling
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
        if self.bundle_root is not None:
            require_weights_of(Path(self.bundle_root), network)
        faster = self._faster(network)
        chosen = knee_sampling(network, faster, **read_options(SAMPLING_OPTIONS, self.options))
        network = faster.network(network, fast=chosen.fast, small=chosen.small)
        volumes = []
        for index, view in enumerate(_views(inputs)):
            if features is not None:
                view = replace(view, features=features[index])
            condition = condition_of(network, view)
            mean = torch.zeros(())
            for sample in range(chosen.samples):
                drawn = draw_slices(network, condition, view.generator(chosen.seed, sample), chosen)  # [S,H,W]
                mean = mean + (drawn - mean) / (sample + 1)
            volumes.append(mean.permute(1, 2, 0)[None])
        return torch.stack(volumes)

    def _faster(self, network: Any) -> FasterParts:
        """What the bundle brings beside its weights."""
        return FasterParts() if self.bundle_root is None else FasterParts.of_bundle(Path(self.bundle_root), network)


def _views(inputs: torch.Tensor) -> Iterator[KneeView]:
    """The radiographs of a batch [B,1,H,W], with identity, side and features from their meta data."""
    for image, meta in items_of(inputs):
        film, features = image[0], meta.get("features")  # [H,W]
        known = torch.from_numpy(one_hot({})) if features is None else torch.as_tensor(features)
        yield KneeView(film, known, identity_of(film, meta), Side(meta.get("side", Side.RIGHT)))
