"""Networks as methods of an evaluation, and what ``--method NAME=SOURCE`` may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.evaluation.methods import FolderMethod, class_method
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.systems.foot_xray_sccdm.baselines.given import GivenPhotograph
from monai_xray2mri.systems.foot_xray_sccdm.drawing import FootView, draw_radiographs
from monai_xray2mri.systems.foot_xray_sccdm.lead_letter import without_lead_letters
from monai_xray2mri.systems.foot_xray_sccdm.network import DifferenceDiffusion
from monai_xray2mri.systems.foot_xray_sccdm.options import FootSampling, foot_sampling
from monai_xray2mri.systems.foot_xray_sccdm.refinement import Refinement
from monai_xray2mri.training.trained import read_network, run_record, weights_record


class LoadedBundle(Protocol):
    """What is needed of the system's predictor."""

    network: DifferenceDiffusion
    weights_sha256: str


@dataclass(frozen=True)
class NetworkMethod:
    """A trained network.

    Attributes:
        network: draws radiographs.
        options: of :data:`~monai_xray2mri.systems.foot_xray_sccdm.options.SAMPLING_OPTIONS`, in place of its own.
        refinement: what is done to each step, where options do not tell it.
        record: name, version and hash of the weights.
    """

    network: DifferenceDiffusion
    options: Mapping[str, Any] = field(default_factory=dict)
    refinement: Refinement | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    def with_options(self, refinement: Refinement | None = None, **options: Any) -> NetworkMethod:
        """The same network, drawn with other options."""
        return replace(self, options={**self.options, **options}, refinement=refinement or self.refinement)

    @property
    def diffusion(self) -> DifferenceDiffusion:
        """The network, where it draws by diffusion.

        Raises:
            TypeError: it does not.
        """
        if not self.stochastic:
            raise TypeError(f"needs a diffusion network, got {type(self.network).__name__}")
        return self.network

    @property
    def stochastic(self) -> bool:
        """Whether two samples differ."""
        return self.network.stochastic

    def sampling(self, samples: int = 1, seed: int = 0) -> FootSampling:
        """How it draws."""
        found = foot_sampling(self.diffusion, **{**self.options, "samples": samples, "seed": seed})
        return found if self.refinement is None else replace(found, refinement=self.refinement)

    def settings(self) -> dict[str, Any]:
        """What determines its radiographs, for the records."""
        if not self.stochastic:
            return dict(self.record)
        sampling = self.sampling()
        return {**self.record, **sampling.sampler_record(), "refinement": asdict(sampling.refinement)}

    def predict(self, given: GivenPhotograph, samples: int, seed: int) -> np.ndarray:
        """[samples,S,S] float32 in [0,1], one where the network draws nothing.

        Raises:
            InputRefused: the photograph has another size.
        """
        if given.shape[0] != self.network.image_size:
            raise InputRefused(given.title, f"must have {self.network.image_size} pixels a side", str(given.shape[0]))
        photograph = torch.from_numpy(np.ascontiguousarray(given.photograph, np.float32)) * 2 - 1
        if self.stochastic:
            view = FootView(photograph, given.name)
            found = torch.stack(list(draw_radiographs(self.diffusion, view, self.sampling(samples, seed)))).numpy()
        else:
            drawn = (self.network.radiographs(photograph[None, None], [])[0, 0].float().cpu() + 1) / 2
            found = without_lead_letters(drawn.numpy(), given.photograph > 0)[None]
        return np.asarray(found.clip(0, 1))


def bundle_method(predictor: LoadedBundle, bundle: Path) -> NetworkMethod:
    """The method of a bundle."""
    return NetworkMethod(predictor.network, record=weights_record(predictor.weights_sha256, bundle))


def method_of(source: str, bundle: Path, device: str) -> Method:
    """The method behind ``--method NAME=SOURCE``.

    =============================== ==============================================================================
    source                          method
    =============================== ==============================================================================
    ``model.pt[:CONFIG[,CONFIG]]``  the network of a training run, with the configurations of its training
    a folder                        radiographs that were generated elsewhere, ``CASE.npy``
    ``package.module:Class``        a class of one's own
    =============================== ==============================================================================

    Args:
        source: see above.
        bundle: whose configurations weights go with.
        device: where networks compute.

    Raises:
        UsageError: it is none of these.
        WeightsError: damaged weights, or weights of another network.
    """
    file, _, rest = source.partition(":")
    if Path(file).is_file():
        names = tuple(name for name in rest.split(",") if name)
        network = cast(DifferenceDiffusion, read_network(Path(file), bundle, names, device))
        return NetworkMethod(network, record=run_record(Path(file), bundle, names))
    return FolderMethod(Path(source)) if Path(source).is_dir() else class_method(source)
