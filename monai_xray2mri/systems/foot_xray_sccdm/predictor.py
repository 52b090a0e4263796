"""The predictor: a photograph of a foot to its radiograph (Wan 2025)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from monai_xray2mri.core.bundles import load_network_of
from monai_xray2mri.core.provenance import model_of, provenance
from monai_xray2mri.core.system import Progress
from monai_xray2mri.core.volumes import mean_and_spread
from monai_xray2mri.runtime.devices import choose_device, memory_errors
from monai_xray2mri.systems.foot_xray_sccdm.angles import AngleInterval, measure_foot
from monai_xray2mri.systems.foot_xray_sccdm.case import FootCase
from monai_xray2mri.systems.foot_xray_sccdm.drawing import FootView, draw_radiographs
from monai_xray2mri.systems.foot_xray_sccdm.network import DifferenceDiffusion
from monai_xray2mri.systems.foot_xray_sccdm.options import FootSampling, foot_sampling
from monai_xray2mri.systems.foot_xray_sccdm.records import picture_volume
from monai_xray2mri.systems.foot_xray_sccdm.result import FootResult


class PhotographToRadiograph:
    """Generates radiographs of feet from photographs; loaded once, used for many.

    Args:
        network: the trained network.
        bundle: name and version of its bundle, for the provenance.
        weights_sha256: of ``models/model.pt``.
        device: where to compute.
        interval: half widths that were measured for these weights; None: none were.
    """

    def __init__(
        self,
        network: DifferenceDiffusion,
        bundle: str,
        weights_sha256: str,
        device: str = "auto",
        interval: AngleInterval | None = None,
    ) -> None:
        self.device = choose_device(device)
        self.network = network.to(self.device).eval()
        self.bundle, self.weights_sha256, self.interval = bundle, weights_sha256, interval

    @classmethod
    def from_bundle(cls, bundle: Path, device: str = "auto") -> PhotographToRadiograph:
        """Load a bundle.

        Raises:
            WeightsError: it is missing, damaged, of another system, or not trained yet.
            UsageError: the device is not there.
        """
        network = load_network_of(bundle, DifferenceDiffusion, "sccdm.md")
        name, digest = model_of(bundle)
        return cls(network, name, digest, device, AngleInterval.of(bundle, digest))

    @property
    def name(self) -> str:
        """Name and version of the bundle."""
        return self.bundle

    def record(self) -> dict[str, object]:
        """What ``xray2mri info`` says of the bundle."""
        network = self.network
        return {
            "version": self.bundle,
            "weights_sha256": self.weights_sha256,
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "pixels": network.image_size,
            **self.resolve().sampler_record(),
            "angle_interval": None if self.interval is None else dict(self.interval.half_width_deg),
        }

    def server_info(self) -> dict[str, object]:
        """Nothing more."""
        return {}

    def resolve(self, **options: Any) -> FootSampling:
        """See :func:`~monai_xray2mri.systems.foot_xray_sccdm.options.foot_sampling`."""
        return foot_sampling(self.network, **options)

    def work(self, sampling: FootSampling) -> int:
        """Steps of all samples."""
        return sampling.samples * sampling.sampler.steps

    def samples(self, view: FootView, sampling: FootSampling, progress: Progress | None = None) -> Iterator[np.ndarray]:
        """Draw the radiographs of a foot one after another, each with its own noise.

        Args:
            view: what the network is given.
            sampling: see :meth:`resolve`.
            progress: called with the number of steps done since.

        Yields:
            [256,256] float32 in [0,1], right foot, toes up, bone bright, in the frame of the photograph.

        Raises:
            OutOfMemory: the device has too little memory.
        """
        with memory_errors(1):
            for drawn in draw_radiographs(self.network, view, sampling, progress):
                yield drawn.numpy()

    def predict(self, case: FootCase, sampling: FootSampling, progress: Progress | None = None) -> FootResult:
        """Generate the radiograph of a foot that has passed all checks, and measure it.

        Args:
            case: the foot.
            sampling: see :meth:`resolve`.
            progress: called with the number of steps done since.

        Raises:
            OutOfMemory: the device has too little memory.
        """
        start = time.monotonic()
        drawn = list(self.samples(FootView.of(case), sampling, progress))
        measures = measure_foot(drawn, sampling, self.interval, forced=case.forced)
        samples = [picture_volume(case.shown(one), case.foot.pixel_mm) for one in drawn]
        mean, spread = mean_and_spread(samples)
        run = {"device": self.device.type, "seconds": round(time.monotonic() - start, 2)}
        return FootResult(case, mean, spread, tuple(samples), measures, self.provenance(case, sampling), run)

    def provenance(self, case: FootCase, sampling: FootSampling) -> dict[str, object]:
        """What determines the result, without patient data: equal values mean equal pixels (same device)."""
        foot = case.foot
        facts = {
            "side": case.side.value,
            "side_source": foot.side_source,
            "pixel_mm": foot.pixel_mm,
            "scale_source": foot.scale_source,
            "matrix": [[round(float(value), 6) for value in row] for row in foot.matrix],
        }
        return provenance(self.bundle, self.weights_sha256, sampling.record(), facts, case.remarks, case.forced)
