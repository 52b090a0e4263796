"""The knees of a study that can be synthesized, with their features.

Films are not knees: a knee is missing where a film says, or its picture shows, that it is one of this knee from the
front and cannot be used. Every other film that is not used is a remark.

All input checks happen here and in :mod:`~monai_xray2mri.dicom.study`, before any compute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from monai_xray2mri.core.system import Plan
from monai_xray2mri.dicom.kinds import REPORTS
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.source import require_study
from monai_xray2mri.dicom.study import Study, StudyFile, read_study
from monai_xray2mri.errors import InputRefused, NoFrontalKnee, NotAKnee
from monai_xray2mri.radiograph.choice import choose
from monai_xray2mri.radiograph.given_size import with_given_size
from monai_xray2mri.radiograph.kinds import RADIOGRAPHS
from monai_xray2mri.radiograph.knee.checks import FilmCheck, RegionCheck, check_radiograph, check_region
from monai_xray2mri.radiograph.knee.header_checks import check_subject
from monai_xray2mri.radiograph.knee.one_knee import OneKneeShown
from monai_xray2mri.radiograph.knee.region import find_knees
from monai_xray2mri.radiograph.knee.roi import FoundJoint, KneeROI, Locator
from monai_xray2mri.radiograph.laterality import sides_of
from monai_xray2mri.radiograph.reading import read_radiograph
from monai_xray2mri.systems.knee_xray2mri.case import KneeCase
from monai_xray2mri.systems.knee_xray2mri.gradings import add_gradings
from monai_xray2mri.systems.knee_xray2mri.options import KneeRequest
from monai_xray2mri.systems.knee_xray2mri.refusals import joined
from monai_xray2mri.types import Radiograph, Side

SURE = 0.85
"""Confidence of the detector from which on a film is one of a knee from the front, whatever else doubts it
(docs/knee/detection.md)."""


def read_knee_study(path: Path) -> Study:
    """Sort the radiographs and reports of a study.

    Args:
        path: a folder (read recursively) of DICOM, PNG or JPEG, or one such file, also NIfTI or NRRD.

    Raises:
        UsageError: the path does not exist or cannot be read.
        InputRefused: no radiograph, or radiographs of two patients or two studies.
    """
    study = read_study(path, (RADIOGRAPHS, REPORTS))
    require_films(study)
    return study


def require_films(study: Study) -> tuple[StudyFile, ...]:
    """The radiographs of a study.

    Raises:
        InputRefused: there is none; the message counts what there is instead.
    """
    films, reports = study.of(RADIOGRAPHS), len(study.of(REPORTS))
    if films:
        return films
    found = [*(f"{count} {what}" for what, count in study.passed_over.items()), f"{reports} SR"]
    found = found if study.passed_over or reports else ["no DICOM object"]
    unpack = "Unpack archives and replace links by what they lead to. " if study.unopened else ""
    raise InputRefused(
        "study",
        "needs a radiograph of the knee (modality CR, DX or RG, or PNG, JPEG)",
        ", ".join([*found, *study.unopened]),
        f"{unpack}Send the study with its radiograph.",
    )


def plan_study(study: Study, request: KneeRequest, region_mm: float) -> Plan[KneeCase]:
    """The knees of a study with their features: :func:`locate_knees`, then :func:`add_gradings`, with their errors."""
    return add_gradings(locate_knees(study, request, region_mm), study, request)


@quiet()
def locate_knees(study: Study, request: KneeRequest, region_mm: float) -> Plan[KneeCase]:
    """Find the knees on the radiographs of a study, with all checks of the pictures.

    Args:
        study: the sorted files.
        request: which knee is wanted, and how strictly the picture is checked. ``force`` uses also what the checks
            doubt (:class:`~monai_xray2mri.errors.DoubtfulInput`), with a remark. Side, spacing, age, and whether there
            is a knee at all cannot be forced.
        region_mm: side of the region at the detector in mm; the bundle's.

    Returns:
        The plan with at least one case, right before left, features still unknown.

    Raises:
        InputRefused: no knee can be used; the message of the only reason, or all of them.
    """
    cases, refused, passed_over = list[KneeCase](), list[_Refused](), list[InputRefused]()
    for film in require_films(study):
        try:
            found, others = _look_at(film, request, region_mm)
        except NotAKnee as refusal:
            passed_over.append(refusal)
        else:
            cases += found
            refused += others
    if not cases:
        raise joined([*(one.refusal for one in refused), *passed_over])
    wanted = set(Side) if request.side is None else {request.side}
    lacking = wanted - {case.side for case in cases}
    missing = [one.refusal for one in refused if _may_lack(one, lacking, region_mm, request)]
    passed_over += [one.refusal for one in refused if one.refusal not in missing]
    remarks = (*study.remarks, *(str(refusal) for refusal in passed_over))
    return Plan(tuple(_one_per_side(cases)), tuple(missing), remarks)


@dataclass(frozen=True)
class _Refused:
    """A film, or a knee of it, that cannot be used.

    Attributes:
        refusal: why.
        sides: the knees that it says it shows; none if it does not say.
        radiograph: it, if it could be read.
    """

    refusal: InputRefused
    sides: Sequence[Side]
    radiograph: Radiograph | None = None


def _look_at(film: StudyFile, request: KneeRequest, region_mm: float) -> tuple[list[KneeCase], list[_Refused]]:
    """The knees of a film, one at a time, so that a knee that cannot be found does not cost the other one.

    Raises:
        NotAKnee: it is a film of something else.
    """
    radiograph = None
    try:
        radiograph = read_radiograph(film.path, film.name, check_subject, film.header)
        radiograph = with_given_size(radiograph, request.width_mm, request.pixel_spacing)
        if radiograph.dataset is not None:
            require_study(radiograph.dataset, f"radiograph {radiograph.name}")
        check = check_radiograph(radiograph, side=request.side)
    except NotAKnee:
        raise
    except InputRefused as refusal:
        return [], [_Refused(refusal, _sides_said(film), radiograph)]
    return _knees_of(radiograph, check, region_mm, request)


def _sides_said(film: StudyFile) -> Sequence[Side]:
    """The knees that a film may show by its header: both, if it contradicts itself."""
    try:
        return () if film.header is None else sides_of(film.header, film.name)[0]
    except InputRefused:
        return tuple(Side)


def _may_lack(refused: _Refused, lacking: Set[Side], region_mm: float, request: KneeRequest) -> bool:
    """Whether a knee is missing because a film was refused: the film says that it shows it, or looks like it.

    Films are not knees: laterals, copies and test exposures that say nothing leave none missing.
    """
    if refused.sides or refused.radiograph is None:
        return any(side in lacking for side in refused.sides)
    return any(
        _knees_of(refused.radiograph, FilmCheck((side,)), region_mm, replace(request, side=side))[0] for side in lacking
    )


def _knees_of(
    radiograph: Radiograph, film: FilmCheck, region_mm: float, request: KneeRequest
) -> tuple[list[KneeCase], list[_Refused]]:
    from monai_xray2mri.knee.detection.joints import find_joints  # torch takes seconds to import
    from monai_xray2mri.knee.detection.likeness import with_side_seen

    locate, cases, refused = _locate_once(find_joints), list[KneeCase](), list[_Refused]()
    for side in film.sides:
        roi = None
        try:
            (roi,) = find_knees(
                radiograph,
                locate,
                (side,),
                region_mm,
                assume_spacing=request.assume_spacing,
                chosen=request.side is not None,
            )
            region = check_region(roi, radiograph.name)
            overridden = _override(region, roi, radiograph.name, request.force)
        except OneKneeShown as refusal:  # the same for either side
            return [], [_Refused(with_side_seen(refusal), (), radiograph)]
        except InputRefused as refusal:
            refused.append(_Refused(refusal, () if _shows_none(refusal, roi) else (side,)))
            continue
        remarks = (*overridden, *radiograph.remarks, *film.warnings, *region.warnings)
        cases.append(KneeCase(radiograph, roi, film_remarks=remarks, forced=bool(overridden)))
    return cases, refused


def _shows_none(refusal: InputRefused, roi: KneeROI | None) -> bool:
    """Whether a film is none of a knee from the front, as a lateral that does not say so."""
    sure = roi is not None and roi.confidence is not None and roi.confidence >= SURE
    return isinstance(refusal, NotAKnee) or (isinstance(refusal, NoFrontalKnee) and not sure)


def _locate_once(locate: Locator) -> Locator:
    """A detector that looks at a film once, although it is asked for each of its knees."""
    seen: dict[tuple[float, float], Sequence[FoundJoint]] = {}

    def joints(pixels: np.ndarray, spacing: tuple[float, float]) -> Sequence[FoundJoint]:
        if spacing not in seen:
            seen[spacing] = locate(pixels, spacing)
        return seen[spacing]

    return joints


def _override(region: RegionCheck, roi: KneeROI, name: str, force: bool) -> tuple[str, ...]:
    """Remarks on the doubts that force overrides; without force the first of them is raised."""
    from monai_xray2mri.knee.detection.doubts import network_doubts

    doubts = [*region.doubts, *network_doubts(roi, name)]
    if doubts and not force:
        raise doubts[0]
    return tuple(f"used by force: {doubt.what} {doubt.rule} (found: {doubt.found})" for doubt in doubts)


def _one_per_side(cases: Sequence[KneeCase]) -> Iterator[KneeCase]:
    """One case per side, right first; of several films of one knee the one that is chosen, said in remarks."""
    for side in Side:
        own = [case for case in cases if case.side is side]
        if not own:
            continue
        choice = choose([case.radiograph for case in own])
        used, remarks = own[choice.index], choice.remarks
        if choice.older:
            remarks += (f"{choice.older} older radiographs of the {side.word} knee were not used",)
        yield replace(used, film_remarks=(*used.film_remarks, *remarks))
