"""Joining series, films and readings: what is a knee, what is broken, what is merely of no use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from monai_xray2mri.knee.grading.features import FEATURE_BY_STEM
from monai_xray2mri.knee.oai.covariates import ParticipantTables
from monai_xray2mri.knee.oai.join import Candidate, Joined, Skipped, join
from monai_xray2mri.knee.oai.readings import KneeKey, Reading, ReadingTables
from monai_xray2mri.knee.oai.release import Discovery, Series
from monai_xray2mri.types import Side
from tests.knee.oai.conftest import DATE, FILM_DESCRIPTION, NUMBER, OTHER, T1

KEY = KneeKey(NUMBER, "V00", Side.RIGHT)
BARCODE = "016600593103"
FILM = Series(Path("film"), "00m/film", 1, "film", FILM_DESCRIPTION, NUMBER, "V00", None, BARCODE, DATE, "1.2", "CR")
SERIES = Series(Path("mr"), "00m/mr", 80, "T1", T1, NUMBER, "V00", Side.RIGHT, None, DATE, "1.3", "MR")
GRADES = dict.fromkeys(FEATURE_BY_STEM, "0")


def reading(film: str | None = BARCODE, key: KneeKey = KEY, **grades: str) -> Reading:
    """A reading of the knee."""
    return Reading(key, 15, film, GRADES | grades, "table, line 2")


def joined(
    *series: Series,
    readings: tuple[Reading, ...] | None = None,
    acceptance: dict[str, str] | None = None,
    **options: object,
) -> Joined:
    """Join series and readings; by default one good reading."""
    tables = ReadingTables()
    for one in (reading(),) if readings is None else readings:
        tables.readings[one.key].append(one)
    found = Discovery(list(series))
    return join(found, tables, ParticipantTables(acceptance or {}), **options)  # type: ignore[arg-type]


def only_candidate(outcome: Joined) -> Candidate:
    """The one knee, nothing skipped."""
    (candidate,) = outcome.candidates
    assert outcome.skipped == []
    return candidate


def only_skipped(outcome: Joined) -> Skipped:
    """The one thing skipped, no knee."""
    (skipped,) = outcome.skipped
    assert outcome.candidates == []
    return skipped


def test_film_series_and_reading_make_a_knee() -> None:
    candidate = only_candidate(joined(FILM, SERIES))
    assert (candidate.key, candidate.film, candidate.series) == (KEY, FILM, SERIES)
    assert candidate.grading.grades["XRKL"] == 0
    assert candidate.remarks == ()


def test_mr_without_film_and_film_without_mr_are_out_of_scope() -> None:
    skipped = only_skipped(joined(SERIES))
    assert (skipped.what, skipped.broken, skipped.participant) == ("MR series", False, NUMBER)
    skipped = only_skipped(joined(FILM))
    assert (skipped.what, skipped.broken, skipped.side) == ("film", False, Side.RIGHT)


def test_a_film_without_reading_is_skipped_or_kept_unknown() -> None:
    skipped = only_skipped(joined(FILM, SERIES, readings=()))
    assert not skipped.broken and "no reading" in skipped.reason
    candidate = only_candidate(joined(FILM, SERIES, readings=(), ungraded="keep"))
    assert not candidate.grading.grades and candidate.grading.remarks


def test_readings_without_images_are_counted() -> None:
    other = KneeKey(OTHER, "V00", Side.RIGHT)
    left = KneeKey(NUMBER, "V00", Side.LEFT)
    outcome = joined(FILM, SERIES, readings=(reading(), reading(key=other), reading(key=left)))
    assert outcome.counts["knees with a reading and without images"] == 1
    assert outcome.counts["left knees, of which the protocol has no T1 series"] == 1
    only_candidate(outcome)


def test_a_broken_film_is_reported_once() -> None:
    skipped = only_skipped(joined(replace(FILM, problem="its header is damaged"), SERIES))
    assert skipped.broken and "damaged" in skipped.reason


def test_a_broken_series_is_reported_once() -> None:
    skipped = only_skipped(joined(FILM, replace(SERIES, problem="different sides")))
    assert skipped.broken and skipped.what == "series 00m/mr"


def test_other_visits_are_counted_unless_asked_for() -> None:
    late = replace(FILM, visit="V06"), replace(SERIES, visit="V06")
    key = KneeKey(NUMBER, "V06", Side.RIGHT)
    outcome = joined(*late, readings=(reading(key=key),))
    assert outcome.candidates == [] and outcome.counts["series of V06, which was not asked for"] == 2
    assert only_candidate(joined(*late, readings=(reading(key=key),), visits=("V00", "V06"))).key == key


def test_of_several_series_the_complete_one_is_used() -> None:
    short = replace(SERIES, files=70, date="20050101", name="00m/short")
    outcome = joined(FILM, short, SERIES)
    assert outcome.candidates[0].series == SERIES
    assert [(one.what, one.broken) for one in outcome.skipped] == [("MR series 00m/short", False)]


def test_of_several_complete_series_the_newest_is_used() -> None:
    newer = replace(SERIES, date="20050101", name="00m/newer")
    assert joined(FILM, newer, SERIES).candidates[0].series == newer


def test_films_that_quality_control_refused_are_out_of_scope() -> None:
    for code in ("NR", "NA"):
        skipped = only_skipped(joined(FILM, SERIES, acceptance={BARCODE: code}))
        assert not skipped.broken and code in skipped.reason


def test_accepted_films_are_used_and_rare_codes_remarked() -> None:
    for code in ("Y", "YD"):
        assert only_candidate(joined(FILM, SERIES, acceptance={BARCODE: code})).remarks == ()
    assert only_candidate(joined(FILM, SERIES, acceptance={BARCODE: "P"})).remarks == (
        "quality control of the film says P",
    )


def test_the_film_that_was_read_is_used() -> None:
    retake = replace(FILM, barcode="016600000777", date="20050101", name="00m/retake")
    assert only_candidate(joined(retake, FILM, SERIES)).film == FILM
    assert only_candidate(joined(retake, FILM, SERIES, readings=(reading("016600000777"),))).film == retake


def test_a_refused_film_that_was_read_is_not_replaced_by_another() -> None:
    retake = replace(FILM, barcode="016600000777", name="00m/retake")
    skipped = only_skipped(joined(retake, FILM, SERIES, acceptance={BARCODE: "NR"}))
    assert "quality control" in skipped.reason and not skipped.broken


def test_gradings_of_another_film_are_broken() -> None:
    skipped = only_skipped(joined(FILM, SERIES, readings=(reading("016600000777"),)))
    assert skipped.broken and "another barcode" in skipped.reason


def test_without_a_barcode_participant_and_visit_join() -> None:
    by_reading = only_candidate(joined(FILM, SERIES, readings=(reading(None),)))
    assert by_reading.remarks == ("the reading has no barcode: joined by participant and visit",)
    by_film = only_candidate(joined(replace(FILM, barcode=None), SERIES))
    assert by_film.remarks == ("the film has no barcode: joined by participant and visit",)


def test_a_grade_that_is_none_breaks_the_knee() -> None:
    skipped = only_skipped(joined(FILM, SERIES, readings=(reading(XRKL="two"),)))
    assert skipped.broken and skipped.what == "gradings"


def test_contradicting_readings_break_the_knee() -> None:
    skipped = only_skipped(joined(FILM, SERIES, readings=(reading(XRKL="1"), reading(XRKL="2"))))
    assert skipped.broken and "rows differ" in skipped.reason
