"""The predictor: a knee radiograph to a synthetic MR volume (Wang 2024a, Algorithm 2)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.core.calibration import Calibration
from monai_xray2mri.core.provenance import model_of, provenance
from monai_xray2mri.core.system import Progress
from monai_xray2mri.core.volumes import mean_and_spread, to_patient_space
from monai_xray2mri.knee.grading.features import FEATURES, one_hot
from monai_xray2mri.radiograph.knee.region import network_input
from monai_xray2mri.runtime.devices import choose_device, memory_errors
from monai_xray2mri.systems.knee_xray2mri.calibration import INTERVAL, knee_calibration
from monai_xray2mri.systems.knee_xray2mri.case import KneeCase
from monai_xray2mri.systems.knee_xray2mri.drawing import KneeView, condition_of, draw_slices
from monai_xray2mri.systems.knee_xray2mri.faster import FasterParts
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion, load_slice_diffusion
from monai_xray2mri.systems.knee_xray2mri.options import (
    REQUEST_OPTIONS,
    SAMPLING_OPTIONS,
    KneeSampling,
    knee_request,
    knee_sampling,
)
from monai_xray2mri.systems.knee_xray2mri.plan import plan_study, read_knee_study
from monai_xray2mri.systems.knee_xray2mri.result import KneeResult
from monai_xray2mri.systems.registry import default_bundle
from monai_xray2mri.systems.running import progress_of, split_options
from monai_xray2mri.types import Side


class Xray2MRI:
    """Generates MR volumes from knee radiographs; loaded once, used for many.

    Example:
        ``Xray2MRI.from_bundle("bundle/knee_xray2mri")("knee.dcm", samples=8, seed=0).volume``

    Args:
        network: the trained network.
        bundle: name and version of its bundle, for the provenance.
        weights_sha256: of ``models/model.pt``.
        device: where to compute.
        calibration: of the uncertainty, for these weights; None: it is not calibrated.
        faster: weights for few steps and small decoder, as far as the bundle has them; None: neither.
    """

    def __init__(
        self,
        network: SliceDiffusion,
        bundle: str,
        weights_sha256: str,
        device: str = "auto",
        calibration: Calibration | None = None,
        faster: FasterParts | None = None,
    ) -> None:
        self.device = choose_device(device)
        self.network = network.to(self.device).eval()
        self.bundle, self.weights_sha256, self.calibration = bundle, weights_sha256, calibration
        self.faster = faster or FasterParts()

    @classmethod
    def from_bundle(cls, bundle: str | Path | None = None, device: str = "auto") -> Xray2MRI:
        """Load a bundle (None: the one that comes with the package).

        Raises:
            WeightsError: see :func:`~monai_xray2mri.systems.knee_xray2mri.network.load_slice_diffusion`; also a
                damaged calibration, and a faster part that is damaged or of another network.
            UsageError: the device is not there.
        """
        path = Path(bundle) if bundle is not None else default_bundle()
        network = load_slice_diffusion(path)
        name, digest = model_of(path)
        faster = FasterParts.of_bundle(path, network)
        return cls(network, name, digest, device, knee_calibration(path, digest), faster)

    def __call__(self, radiograph: str | Path, *, progress: bool | Progress = False, **options: Any) -> KneeResult:
        """The synthetic MR volume of the knee of a radiograph file or study.

        Args:
            radiograph: DICOM, PNG or JPEG file, or a study folder.
            progress: True shows a bar with the time left where stderr is a terminal; a function is called with the
                number of slices done since.
            **options: of :data:`~monai_xray2mri.systems.knee_xray2mri.options.REQUEST_OPTIONS` (``side="R"``,
                ``features={"XRKL": 2}`` ...) and ``SAMPLING_OPTIONS`` (``samples=8``, ``seed=0`` ...).

        Raises:
            InputRefused: the study cannot be used, or shows two knees and no ``side`` is chosen.
            UsageError: an option is unknown or out of range.
        """
        asked, drawn = split_options(options, REQUEST_OPTIONS, SAMPLING_OPTIONS)
        sampling = self.resolve(**drawn)
        study = read_knee_study(Path(radiograph))
        case = plan_study(study, knee_request(**asked), self.network.region_mm).only()
        with progress_of(self.work(sampling), "slice", case.title, progress) as update:
            return self.predict(case, sampling, update)

    @property
    def name(self) -> str:
        """Name and version of the bundle."""
        return self.bundle

    def record(self) -> dict[str, object]:
        """What ``xray2mri info`` says of the bundle."""
        network, settings = self.network, self.network.settings
        return {
            "version": self.bundle,
            "weights_sha256": self.weights_sha256,
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "slices": network.slices,
            "steps": settings.steps,
            "guidance": settings.guidance,
            "feature_guidance": settings.feature_guidance,
            "region_mm": network.region_mm,
            "depth_mixing": None if network.mixing is None else network.mixing.record(),
            "fast_steps": None if self.faster.few_steps is None else self.faster.steps,
            "small_decoder": self.faster.small_decoder is not None,
        }

    def server_info(self) -> dict[str, object]:
        """``features`` that a request may hold, as name, description and highest grade.

        None where the network describes the radiograph itself (Wang 2024b).
        """
        features = FEATURES if self.network.describe is None else ()
        return {
            "features": [
                {"name": feature.stem, "description": feature.description, "highest": feature.highest}
                for feature in features
            ]
        }

    def resolve(self, **options: Any) -> KneeSampling:
        """See :func:`~monai_xray2mri.systems.knee_xray2mri.options.knee_sampling`."""
        return knee_sampling(self.network, self.faster, **options)

    def work(self, sampling: KneeSampling) -> int:
        """Slices of all samples."""
        return sampling.slices * sampling.samples

    def samples(
        self,
        view: KneeView,
        sampling: KneeSampling,
        depths: Sequence[float] | None = None,
        progress: Progress | None = None,
    ) -> Iterator[np.ndarray]:
        """Draw the samples of a knee one after another, each with its own noise.

        Args:
            view: what the network is given.
            sampling: see :meth:`resolve`.
            depths: depths of the slices, 0 (posterior) to 1; None takes ``sampling.slices`` over the whole range. A
                slice does not depend on the others, or they are drawn with it.
            progress: called with the number of slices done since the last call.

        Yields:
            [S,H,W] float32 in [-1,1], right-knee space, slice 0 posterior.

        Raises:
            OutOfMemory: the device has too little memory for ``sampling.chunk`` slices.
        """
        network = self.faster.network(self.network, fast=sampling.fast, small=sampling.small)
        with memory_errors(sampling.chunk):
            condition = condition_of(network, view)
        places = None if depths is None else torch.tensor(depths)
        for sample in range(sampling.samples):
            generator = view.generator(sampling.seed, sample)
            with memory_errors(sampling.chunk):
                drawn = draw_slices(network, condition, generator, sampling, places, progress).cpu()
            yield drawn.numpy()

    @torch.inference_mode()
    def encode(self, images: Tensor) -> Tensor:
        """Latents [B,C,h,w] of MR slices [B,1,H,W] in [-1,1], on the predictor's device."""
        return self.network.encode(images.to(self.network.null_context))

    @torch.inference_mode()
    def reconstruct(self, slices: np.ndarray) -> np.ndarray:
        """MR slices [S,H,W] in [0,1] after encoding and decoding: the ceiling of the autoencoder."""
        images = torch.from_numpy(slices)[:, None] * 2 - 1  # [S,1,H,W]
        decoded = torch.cat([self.network.decode(self.encode(part)) for part in images.split(5)])
        return np.asarray(((decoded[:, 0] + 1) / 2).cpu())

    def predict(self, case: KneeCase, sampling: KneeSampling, progress: Progress | None = None) -> KneeResult:
        """Synthesize one knee that has passed all checks.

        Args:
            case: the knee.
            sampling: see :meth:`resolve`.
            progress: called with the number of slices done since.

        Raises:
            OutOfMemory: the device has too little memory for ``sampling.chunk`` slices.
        """
        start = time.monotonic()
        film = torch.from_numpy(network_input(case.roi, self.network.image_size))[0, 0]  # [H,W]
        features = torch.from_numpy(one_hot(case.grading.grades))  # [61]
        view = KneeView(film, features, case.radiograph.identity, case.side)
        spacing, left = self.network.spacing(sampling.slices), case.side is Side.LEFT
        samples = [
            to_patient_space(voxels, self.network.pixel_mm, spacing, mirrored=left)
            for voxels in self.samples(view, sampling, progress=progress)
        ]
        mean, spread = mean_and_spread(samples)
        run = {"device": self.device.type, "seconds": round(time.monotonic() - start, 2)}
        return KneeResult(case, mean, spread, tuple(samples), self.provenance(case, sampling), run)

    def provenance(self, case: KneeCase, sampling: KneeSampling) -> dict[str, object]:
        """What determines the result, without patient data: equal values mean equal pixels (same device)."""
        known, faster = self.calibration, self.faster.record(fast=sampling.fast, small=sampling.small)
        calibrated = (
            known is not None
            and not case.forced
            and not faster
            and known.holds_for(sampling.samples, asdict(sampling.sampler))
        )
        height, width = case.roi.box.rows, case.roi.box.columns
        interval = {entry: getattr(known, field) for entry, field in INTERVAL.items()} if calibrated else None
        facts = {
            **({"faster_sha256": faster} if faster else {}),
            "side": str(case.side),
            "side_source": case.radiograph.sides_source,
            "spacing_source": case.radiograph.spacing_source,
            "region": {
                "top": case.roi.box.top,
                "left": case.roi.box.left,
                "rows": height,
                "columns": width,
                "width_mm": case.roi.width_mm,
                "method": case.roi.method,
                "confidence": None if case.roi.confidence is None else round(case.roi.confidence, 3),
            },
            "features": dict(case.grading.grades),
            "features_source": case.grading.source,
        }
        return provenance(
            self.bundle, self.weights_sha256, sampling.record(), facts, case.remarks, case.forced, interval
        )
