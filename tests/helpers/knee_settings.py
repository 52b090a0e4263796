"""A setting of the knee's studies around a bundle."""

from __future__ import annotations

from pathlib import Path

from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.evaluation.study import Profile
from monai_xray2mri.systems.knee_xray2mri.evaluation.method_sources import bundle_method
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting
from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI


def make_setting(bundle: Path, profile: Profile, **others: Method) -> KneeSetting:
    """The bundle and other methods on the CPU, seed 0."""
    method = bundle_method(Xray2MRI.from_bundle(bundle, "cpu"), bundle)
    return KneeSetting({"tiny": method, **others}, "tiny", profile, 0, True)
