"""Networks as methods of an evaluation, and what ``--method NAME=SOURCE`` may name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.evaluation.methods import FolderMethod, class_method
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.systems.mri_xdiffusion.baselines.exploding import PlanePrior
from monai_xray2mri.systems.mri_xdiffusion.baselines.given import GivenSlices
from monai_xray2mri.systems.mri_xdiffusion.baselines.perpendicular import PerpendicularPlanes
from monai_xray2mri.systems.mri_xdiffusion.baselines.score_mri import ScoreMRI
from monai_xray2mri.systems.mri_xdiffusion.drawing import SliceView, draw_views
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODIES, CONE_SIDE_MM, CONES
from monai_xray2mri.systems.mri_xdiffusion.generation import generate_view
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion
from monai_xray2mri.systems.mri_xdiffusion.options import slice_sampling
from monai_xray2mri.systems.mri_xdiffusion.planes import poses
from monai_xray2mri.systems.mri_xdiffusion.sections import ViewAverage, turn
from monai_xray2mri.training.trained import read_network, run_record, weights_record

CONES_WEIGHTS: Final = Path(__file__).with_name("cones.pt")
"""Weights of the cones' network, which come with the suite."""


class LoadedBundle(Protocol):
    """What is needed of the system's predictor."""

    network: CrossSectionDiffusion
    weights_sha256: str


@dataclass(frozen=True)
class NetworkMethod:
    """X-Diffusion by trained networks, one for each domain that they know.

    Attributes:
        networks: domain to network.
        options: of :data:`~monai_xray2mri.systems.mri_xdiffusion.options.SAMPLING_OPTIONS`, in place of their own.
        record: name, version and hash of the weights.
    """

    networks: Mapping[str, CrossSectionDiffusion]
    options: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)

    def knows(self, domain: str) -> bool:
        """Whether it has a network of a domain."""
        return domain in self.networks

    def network(self, given: GivenSlices) -> CrossSectionDiffusion:
        """The network for slices.

        Raises:
            InputRefused: there is none, or the slices have another size.
        """
        if given.domain not in self.networks:
            found = f"only {', '.join(self.networks)}"
            raise InputRefused(given.title, f"needs a network of {given.domain}", found, "Give its weights (--method).")
        network = self.networks[given.domain]
        if network.image_size != given.shape[0]:
            raise InputRefused(given.title, f"must have a side of {network.image_size} voxels", str(given.shape[0]))
        return network

    def with_options(self, **options: Any) -> NetworkMethod:
        """The same networks, drawn with other options."""
        return replace(self, options={**self.options, **options})

    def settings(self) -> dict[str, Any]:
        """What determines its volumes, for the records."""
        return {**self.record, "sampling": {name: asdict(each.settings) for name, each in self.networks.items()}}

    def predict(self, given: GivenSlices, samples: int, seed: int) -> np.ndarray:
        """[samples,D,D,D] float32, each the aggregate of its views."""
        network = self.network(given)
        volumes = []
        for sample in range(samples):
            sampling = slice_sampling(network, **{**self.options, "seed": seed})
            view = slice_view(given, f"{given.name}/{sample}")
            average = ViewAverage(network.image_size, sampling.aggregate)
            for back, known in draw_views(network, view, sampling):
                average.add(back, known)
            volumes.append(average.volume().clamp(0, 1))
        return torch.stack(volumes).numpy()

    def view(self, given: GivenSlices, rotation: Tensor, seed: int, number: object) -> tuple[Tensor, Tensor]:
        """One view turned back, [D,D,D], and where it is known; its noise follows from seed, case and ``number``."""
        network = self.network(given)
        condition = slice_view(given, given.name).condition(network)
        generator = case_generator("view", seed, given.name, number)
        sampling = slice_sampling(network, **self.options)
        drawn = generate_view(network, condition, rotation, generator, settings=sampling.sampler, chunk=sampling.chunk)
        return turn(drawn, rotation.T)

    def sections(self, given: GivenSlices, place: Tensor, seed: int, sample: int) -> Tensor:
        """Single sections [S,D,D] in [0,1] at places [S,10] of one direction, with the noise of one sample of it."""
        network = self.network(given)
        condition, sampling = slice_view(given, given.name).condition(network), slice_sampling(network, **self.options)
        noise = network.draw_noise(case_generator("sections", seed, given.name, sample), sampling.sampler)
        images = network.sample(condition, place, noise=noise, settings=sampling.sampler, chunk=sampling.chunk)
        return (images[:, 0].float().cpu() + 1) / 2


def slice_view(given: GivenSlices, identity: str) -> SliceView:
    """Slices as the network takes them."""
    return SliceView(given.slices[None] * 2 - 1, poses(given.places)[None], identity)


def domain_of(network: CrossSectionDiffusion) -> str:
    """What a network was trained on: cones have a cube of their own."""
    return CONES if network.side_mm == CONE_SIDE_MM else BODIES


def bundle_method(predictor: LoadedBundle, bundle: Path) -> NetworkMethod:
    """The method of a bundle, with the cones' network that comes with the suite, if it does."""
    networks = {domain_of(predictor.network): predictor.network}
    record: dict[str, Any] = weights_record(predictor.weights_sha256, bundle)
    if CONES_WEIGHTS.is_file() and CONES not in networks:
        device = predictor.network.latent_scale.device
        networks[CONES] = cross_sections(CONES_WEIGHTS, bundle, ("cones",), str(device))
        record["cones_sha256"] = hashlib.sha256(CONES_WEIGHTS.read_bytes()).hexdigest()
    return NetworkMethod(networks, record=record)


def cross_sections(weights: Path, bundle: Path, names: tuple[str, ...], device: str) -> CrossSectionDiffusion:
    """The network of a training run; see :func:`~monai_xray2mri.training.trained.read_network`."""
    return cast(CrossSectionDiffusion, read_network(weights, bundle, names, device))


def method_of(source: str, bundle: Path, device: str) -> Method:
    """The method behind ``--method NAME=SOURCE``.

    ===================================== =============================================================================
    source                                method
    ===================================== =============================================================================
    ``model.pt[:CONFIG[,CONFIG]]``        X-Diffusion with these weights
    ``scoremri:model.pt[:CONFIG]``        ScoreMRI with a prior of sections along slices (``train_baseline_plane_0``)
    ``tpdm:first.pt+second.pt[:CONFIG]``  TPDM with priors along slices and along columns (``..._0``, ``..._2``)
    a folder                              volumes that were generated elsewhere, ``CASE.npy``
    ``package.module:Class``              a class of one's own
    ===================================== =============================================================================

    ``CONFIG`` is ``cones`` for a prior of cones.

    Args:
        source: see above.
        bundle: whose configurations weights go with.
        device: where networks compute.

    Raises:
        UsageError: it is none of these.
        WeightsError: damaged weights, or weights of another network.
    """
    kind, _, rest = source.partition(":")
    if kind in ("scoremri", "tpdm"):
        files, _, names = rest.partition(":")
        return _prior_method(kind, [Path(file) for file in files.split("+")], bundle, _names(names), device)
    if Path(kind).is_file():
        network = cross_sections(Path(kind), bundle, _names(rest), device)
        record = run_record(Path(kind), bundle, _names(rest))
        return NetworkMethod({domain_of(network): network}, record=record)
    return FolderMethod(Path(source)) if Path(source).is_dir() else class_method(source)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


@dataclass(frozen=True)
class PriorMethod:
    """ScoreMRI or TPDM with the weights that they were made of.

    Attributes:
        method: the sampler.
        domain: that its priors know.
        record: for the records.
    """

    method: Method
    domain: str
    record: Mapping[str, Any]

    def knows(self, domain: str) -> bool:
        """Whether its priors are of a domain."""
        return domain == self.domain

    def settings(self) -> dict[str, Any]:
        """What determines its volumes, for the records."""
        return dict(self.record)

    def predict(self, given: GivenSlices, samples: int, seed: int) -> np.ndarray:
        """See the method."""
        return self.method.predict(given, samples, seed)


def _prior_method(kind: str, weights: list[Path], bundle: Path, names: tuple[str, ...], device: str) -> PriorMethod:
    axes = (0,) if kind == "scoremri" else (0, 2)
    if len(weights) != len(axes) or not all(path.is_file() for path in weights):
        raise UsageError(f"method {kind}", f"needs {len(axes)} files of weights, joined by +", str(len(weights)))
    priors = [
        PlanePrior(cross_sections(path, bundle, (*names, f"train_baseline_plane_{axis}"), device), axis)
        for path, axis in zip(weights, axes, strict=True)
    ]
    method: Method = ScoreMRI(priors[0]) if kind == "scoremri" else PerpendicularPlanes(priors[0], priors[1])
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in weights]
    return PriorMethod(method, domain_of(priors[0].network), {"kind": kind, "weights_sha256": digests})


def applies(method: Method, domain: str) -> bool:
    """Whether a method can say anything of a domain; methods without weights are of all."""
    return method.knows(domain) if isinstance(method, (NetworkMethod, PriorMethod)) else True
