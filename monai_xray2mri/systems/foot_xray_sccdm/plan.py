"""From a photograph or a study to feet that have passed all checks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from monai_xray2mri.core.bundles import configuration
from monai_xray2mri.core.system import Plan
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.study import OWN_RESULT, Study, StudyFile, read_study
from monai_xray2mri.errors import InputRefused, WeightsError
from monai_xray2mri.photograph.foot.prepare import prepare_feet
from monai_xray2mri.photograph.kinds import PHOTOGRAPHS
from monai_xray2mri.photograph.record import PreparedFoot
from monai_xray2mri.systems.foot_xray_sccdm.case import FootCase
from monai_xray2mri.systems.foot_xray_sccdm.options import PhotographRequest
from monai_xray2mri.systems.foot_xray_sccdm.pictures import is_own_picture
from monai_xray2mri.types import Side

GRID = 256
"""Pixels a side of a prepared foot."""


def plan_feet(source: Path, request: PhotographRequest, bundle: Path) -> Plan[FootCase]:
    """The feet of a photograph, or of the photographs of a study, that get a radiograph.

    Args:
        source: PNG, JPEG or VL Photographic DICOM file, or the folder of a study.
        request: which feet.
        bundle: whose network is meant; its weights are not read.

    Raises:
        InputRefused: no foot can be used; where there is one photograph, its own reason.
        UsageError: nothing is there.
        WeightsError: the bundle is missing, or works on another grid.
    """
    _require_grid(bundle)
    study = _without_own_pictures(read_study(source, (PHOTOGRAPHS,)))
    photographs = study.of(PHOTOGRAPHS)
    if not photographs:
        raise _no_photograph(study)
    feet: list[tuple[StudyFile, FootCase]] = []
    refusals: list[InputRefused] = []
    for photograph in photographs:
        try:
            found = _prepared(photograph, request)
        except InputRefused as refusal:
            refusals.append(refusal)
            continue
        feet += [(photograph, FootCase(foot)) for foot in found]
    cases, doubled = _one_of_each_side(feet)
    refusals += doubled
    if not cases:
        raise refusals[0] if len(refusals) == 1 else _none_usable(refusals)
    return Plan(cases, tuple(refusals), study.remarks)


def _without_own_pictures(study: Study) -> Study:
    """The study without pictures that this system wrote; own DICOM objects are left out already."""
    photographs = study.of(PHOTOGRAPHS)
    own = [one for one in photographs if one.header is None and is_own_picture(one.path)]
    if not own:
        return study
    passed_over = {**study.passed_over, OWN_RESULT: study.passed_over.get(OWN_RESULT, 0) + len(own)}
    kept = [one for one in photographs if one not in own]
    remarks = [f"{one.name}: {OWN_RESULT}, passed over" for one in own]
    return replace(study, passed_over=passed_over).with_files(PHOTOGRAPHS, kept, remarks)


def _prepared(photograph: StudyFile, request: PhotographRequest) -> tuple[PreparedFoot, ...]:
    with quiet():  # Pillow logs what EXIF says of people and places
        return prepare_feet(
            photograph.path,
            side=request.side,
            pixel_mm=request.pixel_mm,
            force=request.force,
            name=photograph.name,
        )


def _require_grid(bundle: Path) -> None:
    network = configuration(bundle).get("network_def")
    size = network.get("image_size", GRID) if isinstance(network, dict) else None
    if size != GRID:
        raise WeightsError(
            f"bundle {bundle.name}",
            f"must hold a network of {GRID} x {GRID} pixels",
            "no network_def" if size is None else f"image_size {size}",
            "Restore configs/inference.json of this bundle.",
        )


def _one_of_each_side(feet: list[tuple[StudyFile, FootCase]]) -> tuple[tuple[FootCase, ...], list[InputRefused]]:
    """The feet, right before left; a side that several photographs show is refused, none is preferred."""
    cases, refusals = [], []
    for side in Side:
        shown = [(photograph, case) for photograph, case in feet if case.side is side]
        if len(shown) > 1:
            names = ", ".join(photograph.name for photograph, _ in shown)
            refusals.append(
                InputRefused(f"{side.word} foot", "must be on one photograph", names, "Give one photograph of it.")
            )
        else:
            cases += [case for _, case in shown]
    return tuple(cases), refusals


def _no_photograph(study: Study) -> InputRefused:
    found = [f"{count} {what}" for what, count in study.passed_over.items()] + list(study.unopened)
    return InputRefused(
        "input",
        "needs a photograph of a foot: DICOM of modality XC, PNG or JPEG",
        ", ".join(found) or "none",
        "Give the photograph, or a folder that holds it.",
    )


def _none_usable(refusals: list[InputRefused]) -> InputRefused:
    reasons = " | ".join(str(refusal) for refusal in refusals)
    return InputRefused("input", "needs a photograph that can be used", reasons)
