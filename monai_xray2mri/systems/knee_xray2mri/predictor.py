"""The predictor: a knee radiograph to a synthetic MR volume (Wang 2024a, Algorithm 2)."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from monai_xray2mri.core.bundles import bundle_version
from monai_xray2mri.core.calibration import Calibration, read_calibration
from monai_xray2mri.core.identity import package_version
from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.core.volumes import mean_and_spread, volume_affine
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.diffusion.options import Options
from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.grading.features import one_hot, validate_grades
from monai_xray2mri.radiograph.knee.region import network_input
from monai_xray2mri.runtime.devices import choose_device, memory_errors
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion, load_slice_diffusion
from monai_xray2mri.systems.knee_xray2mri.plan import KneeCase, plan_study, read_knee_study
from monai_xray2mri.systems.knee_xray2mri.records import Synthesis
from monai_xray2mri.systems.registry import default_bundle
from monai_xray2mri.types import Side, Volume

INTERVAL = ("level", "scale", "floor", "knees", "simulator")
"""What a result says of the calibration of its uncertainty."""


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
    """

    def __init__(
        self,
        network: SliceDiffusion,
        bundle: str,
        weights_sha256: str,
        device: str = "auto",
        calibration: Calibration | None = None,
    ) -> None:
        self.device = choose_device(device)
        self.network = network.to(self.device).eval()
        self.bundle, self.weights_sha256, self.calibration = bundle, weights_sha256, calibration

    @classmethod
    def from_bundle(cls, bundle: str | Path | None = None, device: str = "auto") -> Xray2MRI:
        """Load a bundle (None: the one that comes with the package).

        Raises:
            WeightsError: see :func:`~monai_xray2mri.systems.knee_xray2mri.network.load_slice_diffusion`; also a
                damaged calibration.
            UsageError: the device is not there.
        """
        path = Path(bundle) if bundle is not None else default_bundle()
        network = load_slice_diffusion(path)
        version = bundle_version(path)
        digest = hashlib.sha256((path / "models" / "model.pt").read_bytes()).hexdigest()
        return cls(network, f"{path.resolve().name} {version}", digest, device, read_calibration(path, digest))

    def __call__(
        self,
        radiograph: str | Path,
        *,
        side: Side | str | None = None,
        features: Mapping[str, object] | None = None,
        assume_spacing: bool = False,
        force: bool = False,
        estimate: bool = True,
        progress: bool | Callable[[int], None] = False,
        **options: Any,
    ) -> Synthesis:
        """Synthesize the knee of a radiograph file or study.

        Args:
            radiograph: DICOM, PNG or JPEG file, or a study folder.
            side: ``"R"`` or ``"L"``; needed for a bilateral film and where the file does not tell.
            features: grades by OAI name, with or without the prefix V00; absent = unknown.
            assume_spacing: for research: take a picture without spacing as one joint region.
            force: use also a picture that the checks doubt; the result says so.
            estimate: let a classifier grade the knee if nothing else does; marked as such.
            progress: True shows a bar with the time left where stderr is a terminal; a function is called with the
                number of slices done since.
            **options: see :class:`Options`.

        Raises:
            InputRefused: see :func:`monai_xray2mri.systems.knee_xray2mri.plan.plan_study`; also a bilateral film
                without ``side``.
            UsageError: an option is unknown or out of range.
        """
        # 1. Check options and inputs
        chosen = self.options(**options)
        wanted = None if side is None else Side(side)
        plan = plan_study(
            read_knee_study(Path(radiograph)),
            side=wanted,
            features=None if features is None else dict.fromkeys(Side, validate_grades(features, source="features")),
            region_mm=self.network.region_mm,
            assume_spacing=assume_spacing,
            force=force,
            estimate=estimate,
        )
        # 2. One knee only
        case = plan.only()
        # 3. Generate
        if callable(progress):
            return self.synthesize(case, chosen, progress)
        total = (chosen.slices or self.network.slices) * chosen.samples
        with tqdm(total=total, unit="slice", disable=not (progress and sys.stderr.isatty())) as bar:
            return self.synthesize(case, chosen, bar.update)

    @staticmethod
    def options(**options: Any) -> Options:
        """Options by name.

        Raises:
            UsageError: an unknown name.
        """
        unknown = sorted(set(options) - set(Options.__dataclass_fields__))
        if unknown:
            known = ", ".join(Options.__dataclass_fields__)
            raise UsageError("options", f"must be among: {known}", ", ".join(unknown), "Check the spelling.")
        return Options(**options)

    def synthesize(
        self, case: KneeCase, options: Options, progress: Callable[[int], object] | None = None
    ) -> Synthesis:
        """Synthesize one knee that has passed all checks.

        Raises:
            UsageError: an option is out of range.
            OutOfMemory: the device has too little memory for ``options.chunk`` slices.
        """
        options.check(self.network.schedule.steps)
        start = time.monotonic()
        # 1. Condition
        size = self.network.image_size
        film = torch.from_numpy(network_input(case.roi, size)).to(self.device)  # [1,1,H,W]
        features = torch.from_numpy(one_hot(case.grading.grades))[None].to(self.device)  # [1,61]
        with torch.inference_mode(), memory_errors(options.chunk):
            condition = self.network.condition(film, features)
        # 2. Samples, each with its own noise
        samples, settings = [], options.sampler(self.network.settings)
        for sample in range(options.samples):
            generator = case_generator(options.seed, case.radiograph.identity, case.side, sample)
            with memory_errors(options.chunk):
                volume = self.network.sample_volume(
                    condition,
                    noise=self.network.draw_noise(generator, settings),
                    settings=settings,
                    slices=options.slices,
                    chunk=options.chunk,
                    dtype=options.precision,
                    callback=progress,
                )  # [1,1,S,H,W], slice 0 posterior, right-knee space
            samples.append(self._to_patient(volume[0, 0].cpu().numpy(), case.side, options))
        # 3. Mean and spread
        mean, spread = mean_and_spread(samples)
        run = {"device": self.device.type, "seconds": round(time.monotonic() - start, 2)}
        return Synthesis(case, mean, spread, tuple(samples), self.provenance(case, options), run)

    def _to_patient(self, voxels: np.ndarray, side: Side, options: Options) -> Volume:
        """[S,H,W] in [-1,1], slice 0 posterior, right-knee space, to the patient's own knee in [0,1]."""
        voxels = (voxels[::-1] + 1) / 2  # the most anterior slice first
        if side is Side.LEFT:
            voxels = voxels[:, :, ::-1]
        slices, rows, columns = voxels.shape
        spacing = self.network.spacing(options.slices)
        affine = volume_affine(columns, rows, slices, self.network.pixel_mm, spacing)
        return Volume(np.ascontiguousarray(voxels, dtype=np.float32), affine)

    def provenance(self, case: KneeCase, options: Options) -> dict[str, object]:
        """What determines the result, without patient data: equal values mean equal pixels (same device)."""
        sampling = asdict(options.sampler(self.network.settings))
        resolved = asdict(options) | sampling | {
            "slices": options.slices or self.network.slices,
            "dtype": str(options.precision).removeprefix("torch."),
        }  # fmt: skip
        resolved.pop("chunk")
        known = self.calibration
        calibrated = known is not None and not case.forced and known.holds_for(options.samples, sampling)
        height, width = case.roi.box.rows, case.roi.box.columns
        return {
            "software": "monai_xray2mri",
            "version": package_version(),
            "model": self.bundle,
            "weights_sha256": self.weights_sha256,
            "options": resolved,
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
            "remarks": list(case.remarks),
            "interval": {key: getattr(known, key) for key in INTERVAL} if calibrated else None,
            "disclaimer": DISCLAIMER,
            **({"forced": True} if case.forced else {}),
        }
