"""SCCDM: a photograph of a foot to its radiograph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_xray2mri.core.options import Option
from monai_xray2mri.systems.foot_xray_sccdm.options import (
    REQUEST_OPTIONS,
    SAMPLING_OPTIONS,
    PhotographRequest,
    photograph_request,
)

if TYPE_CHECKING:
    from monai_xray2mri.core.system import Plan
    from monai_xray2mri.systems.foot_xray_sccdm.case import FootCase
    from monai_xray2mri.systems.foot_xray_sccdm.predictor import PhotographToRadiograph


class FootXraySCCDM:
    """A :class:`~monai_xray2mri.core.system.System`; its bundle is ``foot_xray_sccdm``."""

    name = "foot_xray_sccdm"
    summary = "photograph of a foot to a synthetic dorsoplantar radiograph"
    product = "synthetic_xray"
    modalities: tuple[str, ...] = ("XC",)
    request_options: tuple[Option, ...] = REQUEST_OPTIONS
    sampling_options: tuple[Option, ...] = SAMPLING_OPTIONS
    work_unit = "step"
    cases_word = "feet"

    def request(self, **values: Any) -> PhotographRequest:
        """See :func:`~monai_xray2mri.systems.foot_xray_sccdm.options.photograph_request`."""
        return photograph_request(**values)

    def plan(self, source: Path, request: PhotographRequest, bundle: Path) -> Plan[FootCase]:
        """See :func:`~monai_xray2mri.systems.foot_xray_sccdm.plan.plan_feet`."""
        from monai_xray2mri.systems.foot_xray_sccdm.plan import plan_feet

        return plan_feet(source, request, bundle)

    def predictor(self, bundle: Path, device: str = "auto") -> PhotographToRadiograph:
        """See :meth:`~monai_xray2mri.systems.foot_xray_sccdm.predictor.PhotographToRadiograph.from_bundle`."""
        from monai_xray2mri.systems.foot_xray_sccdm.predictor import PhotographToRadiograph

        return PhotographToRadiograph.from_bundle(bundle, device)

    def suites(self) -> Mapping[str, Any]:
        """See :mod:`monai_xray2mri.systems.foot_xray_sccdm.evaluation.suites`."""
        from monai_xray2mri.systems.foot_xray_sccdm.evaluation.suites import SUITES

        return SUITES


SYSTEM = FootXraySCCDM()
