"""The predictor: one or a few MR slices to a synthetic volume (X-Diffusion)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from torch import Tensor

from monai_xray2mri.core.bundles import load_network_of
from monai_xray2mri.core.provenance import model_of, provenance
from monai_xray2mri.core.system import Progress
from monai_xray2mri.runtime.devices import choose_device, memory_errors
from monai_xray2mri.systems.mri_xdiffusion.case import SliceCase
from monai_xray2mri.systems.mri_xdiffusion.drawing import SliceView, draw_cube, views_per_case
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion
from monai_xray2mri.systems.mri_xdiffusion.options import SliceSampling, slice_sampling
from monai_xray2mri.systems.mri_xdiffusion.result import VolumeResult
from monai_xray2mri.types import Volume


class SlicesToVolume:
    """Generates MR volumes from slices; loaded once, used for many.

    Args:
        network: the trained network.
        bundle: name and version of its bundle, for the provenance.
        weights_sha256: of ``models/model.pt``.
        device: where to compute.
    """

    def __init__(self, network: CrossSectionDiffusion, bundle: str, weights_sha256: str, device: str = "auto") -> None:
        self.device = choose_device(device)
        self.network = network.to(self.device).eval()
        self.bundle, self.weights_sha256 = bundle, weights_sha256

    @classmethod
    def from_bundle(cls, bundle: Path, device: str = "auto") -> SlicesToVolume:
        """Load a bundle.

        Raises:
            WeightsError: it is missing, damaged, of another system, or not trained yet.
            UsageError: the device is not there.
        """
        network = load_network_of(bundle, CrossSectionDiffusion, "xdiffusion.md")
        name, digest = model_of(bundle)
        return cls(network, name, digest, device)

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
            "sections": network.image_size,
            "side_mm": network.side_mm,
            "steps": settings.steps,
            "guidance": settings.guidance,
        }

    def server_info(self) -> dict[str, object]:
        """Nothing more."""
        return {}

    def resolve(self, **options: Any) -> SliceSampling:
        """See :func:`~monai_xray2mri.systems.mri_xdiffusion.options.slice_sampling`."""
        return slice_sampling(self.network, **options)

    def work(self, sampling: SliceSampling) -> int:
        """Sections of all views."""
        return self.network.image_size * views_per_case(sampling)

    def predict(self, case: SliceCase, sampling: SliceSampling, progress: Progress | None = None) -> VolumeResult:
        """Generate the volume of slices that have passed all checks.

        Args:
            case: the slices.
            sampling: see :meth:`resolve`.
            progress: called with the number of sections done since.

        Raises:
            InputRefused: the slices show nearly nothing.
            OutOfMemory: the device has too little memory for ``sampling.chunk`` sections.
            UsageError: slices of several directions are to be changed in their plane.
        """
        start = time.monotonic()
        view = SliceView.of(case)
        with memory_errors(sampling.chunk):
            cube, spread, views = draw_cube(self.network, view, sampling, progress)
        run = {"device": self.device.type, "seconds": round(time.monotonic() - start, 2)}
        return VolumeResult(
            case,
            self._volume(case, cube),
            None if spread is None else self._volume(case, spread),
            tuple(self._volume(case, one.float()) for one in views),
            self.provenance(case, sampling),
            run,
        )

    def _volume(self, case: SliceCase, cube: Tensor) -> Volume:
        """A cube as the network sees it, as a volume of the case."""
        return case.frame.volume(cube, case.box, case.orientation, self.network.extent)

    def provenance(self, case: SliceCase, sampling: SliceSampling) -> dict[str, object]:
        """What determines the result, without patient data: equal values mean equal voxels (same device)."""
        facts = {
            "slices": case.slices(),
            "of": case.of,
            "side": str(case.side) if case.side else None,
            "side_source": case.side_source,
            "cube_mm": case.frame.side_mm,
        }
        return provenance(self.bundle, self.weights_sha256, sampling.record(), facts, case.remarks, case.forced)
