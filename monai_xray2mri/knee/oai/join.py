"""Joins MR series, films and readings of a release by participant and visit, and film and reading also by the barcode.

Something is skipped for one of two reasons. *Broken*: it should be usable but is damaged or contradicts itself. *Out of
scope*: it is correct, but the model does not use it (films of participants without a T1 series, films that quality
control did not accept, series with another number of slices).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.data.arrays import ACQUIRED_SLICES
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.knee.oai.covariates import ACCEPTED, REJECTED, ParticipantTables
from monai_xray2mri.knee.oai.readings import (
    KneeKey,
    Missing,
    Reading,
    ReadingTables,
    grading_of,
    select_reading,
)
from monai_xray2mri.knee.oai.release import Discovery, Series
from monai_xray2mri.types import Side

Ungraded = Literal["skip", "keep"]

UNGRADED: Final = Grading(source="missing", remarks=("no reading: all features unknown",))


@dataclass(frozen=True)
class Skipped:
    """Something that was not used.

    Attributes:
        what: its name: ``"MR series 00m/..."``, ``"film"``, ``"gradings"`` ...
        reason: why it was not used.
        broken: whether it is broken (exit code 8) and not out of scope.
        participant: participant number of seven digits; None if unknown.
        visit: ``"V00"`` ...; None if unknown.
        side: side of the knee; None for both or unknown.
    """

    what: str
    reason: str
    broken: bool
    participant: str | None = None
    visit: str | None = None
    side: Side | None = None

    @classmethod
    def of(cls, key: KneeKey, what: str, reason: str, broken: bool = False) -> Skipped:
        """Something of one knee."""
        return cls(what, reason, broken, key.participant, key.visit, key.side)


@dataclass(frozen=True)
class Candidate:
    """A knee with film, T1 series and grading; its images are not read yet.

    Attributes:
        key: participant, visit and side.
        film: its film.
        series: its T1 series.
        grading: its 19 features.
        remarks: decisions that were made for it.
    """

    key: KneeKey
    film: Series
    series: Series
    grading: Grading
    remarks: tuple[str, ...] = ()


@dataclass
class Joined:
    """The outcome of joining.

    Attributes:
        candidates: knees in the order of their keys.
        skipped: what was not used.
        counts: anonymous counts for the report.
    """

    candidates: list[Candidate] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def join(
    found: Discovery,
    readings: ReadingTables,
    participants: ParticipantTables,
    *,
    visits: Sequence[str] = ("V00",),
    missing: Missing = "unknown",
    ungraded: Ungraded = "skip",
) -> Joined:
    """Join series, films and readings of a release.

    Args:
        found: films and T1 series.
        readings: reading tables.
        participants: acceptance of films.
        visits: visits that are prepared.
        missing: value of features that OAI did not read (:func:`grading_of`).
        ungraded: ``"skip"`` skips knees without a reading, ``"keep"`` keeps them with unknown features.
    """
    joined = Joined()
    series, films = _sorted_by_knee(found, visits, joined)
    broken = {(one.participant, one.visit) for one in joined.skipped if one.broken}
    keys = {*series, *(KneeKey(participant, visit, Side.RIGHT) for participant, visit in films)}
    for key in sorted(keys):
        if key not in series:
            if (key.participant, key.visit) not in broken:
                joined.skipped.append(Skipped.of(key, "film", "no COR_T1_3D_FLASH series of this knee"))
            continue
        if (key.participant, key.visit) not in films:
            if (key.participant, key.visit) not in broken:
                joined.skipped.append(Skipped.of(key, "MR series", "no bilateral fixed flexion film of this visit"))
            continue
        chosen = _series_of(key, series[key], joined)
        outcome = _candidate(key, chosen, films[key.participant, key.visit], readings, participants, missing, ungraded)
        if isinstance(outcome, Skipped):
            joined.skipped.append(outcome)
        else:
            joined.candidates.append(outcome)
    _count_readings_without_images(joined, readings, visits, {*films, *((k.participant, k.visit) for k in series)})
    return joined


def _sorted_by_knee(
    found: Discovery, visits: Sequence[str], joined: Joined
) -> tuple[dict[KneeKey, list[Series]], dict[tuple[str, str], list[Series]]]:
    series: dict[KneeKey, list[Series]] = defaultdict(list)
    films: dict[tuple[str, str], list[Series]] = defaultdict(list)
    for one in found.series:
        if one.visit is not None and one.visit not in visits:
            joined.counts[f"series of {one.visit}, which was not asked for"] += 1
        elif one.problem or one.participant is None or one.visit is None:
            what = f"{'film' if one.kind == 'film' else 'series'} {one.name}"
            joined.skipped.append(Skipped(what, one.problem, True, one.participant, one.visit, one.side))
        elif one.kind == "film":
            films[one.participant, one.visit].append(one)
        elif one.side is not None:
            series[KneeKey(one.participant, one.visit, one.side)].append(one)
    return series, films


def _series_of(key: KneeKey, series: list[Series], joined: Joined) -> Series:
    """The series that is used: the newest one with the protocol's number of slices, or else the newest."""
    ordered = sorted(series, key=lambda one: (one.files == ACQUIRED_SLICES, one.date, one.name))
    for other in ordered[:-1]:
        reason = f"the knee has another series, {ordered[-1].name}, which is used"
        joined.skipped.append(Skipped.of(key, f"MR series {other.name}", reason))
    return ordered[-1]


def _candidate(
    key: KneeKey,
    series: Series,
    films: list[Series],
    readings: ReadingTables,
    participants: ParticipantTables,
    missing: Missing,
    ungraded: Ungraded,
) -> Candidate | Skipped:
    own = readings.readings.get(key, [])
    try:
        reading = select_reading(own, [film.barcode for film in films]) if own else None
        film = _film_of(key, films, reading, participants)
        if isinstance(film, Skipped):
            return film
        if reading is None:
            if ungraded == "skip":
                return Skipped.of(key, "film and MR series", "no reading of this knee in the tables")
            return Candidate(key, film, series, UNGRADED, _film_remarks(film, None, participants))
        grading = grading_of(reading, missing, key.participant in readings.definite_oa)
    except InputRefused as refusal:
        return Skipped.of(key, "gradings", str(refusal), broken=True)
    return Candidate(key, film, series, grading, _film_remarks(film, reading, participants))


def _film_of(
    key: KneeKey, films: list[Series], reading: Reading | None, participants: ParticipantTables
) -> Series | Skipped:
    """The film of the reading; the newest accepted one if the reading names none."""
    codes = {film.barcode: participants.acceptance.get(film.barcode or "") for film in films}
    accepted = [film for film in films if codes[film.barcode] not in REJECTED]
    if not accepted:
        shown = ", ".join(sorted({str(code) for code in codes.values()}))
        return Skipped.of(key, "film", f"quality control did not accept it ({shown})")
    newest = max(accepted, key=lambda film: (film.date, film.name))
    if reading is None or reading.film is None:
        return newest
    named = [film for film in accepted if film.barcode == reading.film]
    unnamed = [film for film in accepted if film.barcode is None]
    if named or unnamed:
        return (named or unnamed)[0]
    if any(film.barcode == reading.film for film in films):
        return Skipped.of(key, "film", f"quality control did not accept it ({codes[reading.film]})")
    return Skipped.of(key, "gradings", "are of a film with another barcode than the one that is there", broken=True)


def _film_remarks(film: Series, reading: Reading | None, participants: ParticipantTables) -> tuple[str, ...]:
    remarks = list(film.remarks)
    if reading is not None and (reading.film is None or film.barcode is None):
        which = "film" if film.barcode is None else "reading"
        remarks.append(f"the {which} has no barcode: joined by participant and visit")
    code = participants.acceptance.get(film.barcode or "")
    if code is not None and code not in ACCEPTED:
        remarks.append(f"quality control of the film says {code}")
    return tuple(remarks)


def _count_readings_without_images(
    joined: Joined, readings: ReadingTables, visits: Sequence[str], images: set[tuple[str, str]]
) -> None:
    for key in readings.knees():
        if key.visit in visits and (key.participant, key.visit) not in images:
            joined.counts["knees with a reading and without images"] += 1
        elif key.visit in visits and key.side is Side.LEFT:
            joined.counts["left knees, of which the protocol has no T1 series"] += 1
