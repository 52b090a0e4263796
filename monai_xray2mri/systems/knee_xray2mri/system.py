"""The knee systems (Wang 2024a, 2024b): a knee radiograph to a coronal T1 MR volume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_xray2mri.core.options import Option
from monai_xray2mri.radiograph.kinds import RADIOGRAPH_MODALITIES
from monai_xray2mri.systems.knee_xray2mri.options import REQUEST_OPTIONS, SAMPLING_OPTIONS, KneeRequest, knee_request

if TYPE_CHECKING:
    from monai_xray2mri.core.system import Plan
    from monai_xray2mri.systems.knee_xray2mri.case import KneeCase
    from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI


def region_mm(bundle: Path) -> float:
    """Side of the radiograph region at the detector in mm that a bundle's network takes.

    Raises:
        WeightsError: the bundle is missing or damaged.
    """
    from monai_xray2mri.core.bundles import configuration

    return float(configuration(bundle)["network_def"]["region_mm"])


class KneeXray2MRI:
    """A :class:`~monai_xray2mri.core.system.System`; its bundles are ``knee_xray2mri`` and ``knee_xray2mri_koa``."""

    name = "knee_xray2mri"
    summary = "radiograph of a knee to a synthetic coronal MR volume"
    product = "synthetic_mri"
    modalities: tuple[str, ...] = RADIOGRAPH_MODALITIES
    request_options: tuple[Option, ...] = REQUEST_OPTIONS
    sampling_options: tuple[Option, ...] = SAMPLING_OPTIONS
    work_unit = "slice"
    cases_word = "knees"

    def request(self, **values: Any) -> KneeRequest:
        """See :func:`~monai_xray2mri.systems.knee_xray2mri.options.knee_request`."""
        return knee_request(**values)

    def plan(self, source: Path, request: KneeRequest, bundle: Path) -> Plan[KneeCase]:
        """The knees of a study with their features; the region's size is that of the bundle's network.

        Raises:
            InputRefused: no knee can be used.
            UsageError: there is no such file or folder.
            WeightsError: the bundle is missing.
        """
        from monai_xray2mri.systems.knee_xray2mri.plan import plan_study, read_knee_study

        return plan_study(read_knee_study(source), request, region_mm(bundle))

    def predictor(self, bundle: Path, device: str = "auto") -> Xray2MRI:
        """See :meth:`~monai_xray2mri.systems.knee_xray2mri.predictor.Xray2MRI.from_bundle`."""
        from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI

        return Xray2MRI.from_bundle(bundle, device)

    def suites(self) -> Mapping[str, Any]:
        """Suites of ``xray2mri evaluate``."""
        from monai_xray2mri.systems.knee_xray2mri.evaluation.suites import SUITES

        return SUITES


SYSTEM = KneeXray2MRI()
