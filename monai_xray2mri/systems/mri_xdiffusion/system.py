"""X-Diffusion: one or a few MR slices to an MR volume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_xray2mri.core.options import Option
from monai_xray2mri.systems.mri_xdiffusion.options import (
    REQUEST_OPTIONS,
    SAMPLING_OPTIONS,
    SliceRequest,
    slice_request,
)

if TYPE_CHECKING:
    from monai_xray2mri.core.system import Plan
    from monai_xray2mri.systems.mri_xdiffusion.case import SliceCase
    from monai_xray2mri.systems.mri_xdiffusion.predictor import SlicesToVolume


class MRIXDiffusion:
    """A :class:`~monai_xray2mri.core.system.System`; its bundle is ``mri_xdiffusion``."""

    name = "mri_xdiffusion"
    summary = "one or a few slices of an MR series to a synthetic MR volume"
    product = "synthetic_mri"
    modalities: tuple[str, ...] = ("MR",)
    request_options: tuple[Option, ...] = REQUEST_OPTIONS
    sampling_options: tuple[Option, ...] = SAMPLING_OPTIONS
    work_unit = "section"
    cases_word = "volumes"

    def request(self, **values: Any) -> SliceRequest:
        """See :func:`~monai_xray2mri.systems.mri_xdiffusion.options.slice_request`."""
        return slice_request(**values)

    def plan(self, source: Path, request: SliceRequest, bundle: Path) -> Plan[SliceCase]:
        """See :func:`~monai_xray2mri.systems.mri_xdiffusion.plan.plan_slices`."""
        from monai_xray2mri.systems.mri_xdiffusion.plan import plan_slices

        return plan_slices(source, request, bundle)

    def predictor(self, bundle: Path, device: str = "auto") -> SlicesToVolume:
        """See :meth:`~monai_xray2mri.systems.mri_xdiffusion.predictor.SlicesToVolume.from_bundle`."""
        from monai_xray2mri.systems.mri_xdiffusion.predictor import SlicesToVolume

        return SlicesToVolume.from_bundle(bundle, device)

    def suites(self) -> Mapping[str, Any]:
        """See :mod:`monai_xray2mri.systems.mri_xdiffusion.evaluation.suites`."""
        from monai_xray2mri.systems.mri_xdiffusion.evaluation.suites import SUITES

        return SUITES


SYSTEM = MRIXDiffusion()
