"""What a run of the ladder says of its bars."""

from __future__ import annotations

from typing import Any

import pytest

from monai_xray2mri.evaluation.speed import HOLDS, MISSED
from monai_xray2mri.systems.knee_xray2mri.speed.bars import NOT_MEASURED, Verdict, verdicts


def row(rung: str, seconds: float, threads: int = 1, within: bool | None = True) -> dict[str, Any]:
    return {
        "rung": rung, "threads": threads, "seconds": seconds, "spent_seconds": seconds, "picture": {"within": within},
    }  # fmt: skip


def judged(
    rows: list[dict[str, Any]], paper: bool = False, crowded: str = "", film: dict[str, Any] | None = None
) -> dict[str, Verdict]:
    return {verdict.title: verdict for verdict in verdicts(rows, film, paper=paper, crowded=crowded)}


COMPACT = [
    row("R0", 20), row("before", 10), row("R3", 7), row("R3", 4, threads=2), row("R3-half", 4), row("R5", 2),
    row("R5-half", 3), row("diffusers", 9), row("monai", 6),
]  # fmt: skip
HELD = {
    "float32, over the time of `before`": (0.7, HOLDS),
    "bfloat16, over the time of R3": (4 / 7, MISSED),
    "fast profile, over the time of R3": (2 / 7, HOLDS),
    "time of R3 over that of diffusers' loop": (7 / 9, HOLDS),
    "time of R3 over that of MONAI's loop": (7 / 6, MISSED),
    "two threads, how many times as fast as one": (7 / 4, HOLDS),
}


def test_a_run_is_held_against_each_bar() -> None:
    found = judged(COMPACT)
    for title, (value, verdict) in HELD.items():
        assert found[title].value == pytest.approx(value) and found[title].verdict == verdict, title
    rest = [verdict for title, verdict in found.items() if title not in HELD]
    assert len(rest) == 5 and all(verdict.verdict == NOT_MEASURED for verdict in rest)
    assert sum("CUDA" in verdict.why for verdict in rest) == 4


@pytest.mark.parametrize(("seconds", "verdict"), [(1.4, HOLDS), (1.6, MISSED)])
def test_a_film_is_judged_by_its_first_case(seconds: float, verdict: str) -> None:
    found = judged(COMPACT, film={"first_cpu_seconds": seconds, "later_cpu_seconds": 1.0})
    (film,) = (each for title, each in found.items() if title.startswith("a film to its result folder"))
    assert (film.value, film.verdict) == (seconds, verdict)


@pytest.mark.parametrize("missing", ["before", "R3-half", "diffusers", "monai", "R3"])
def test_what_is_missing_is_not_measured(missing: str) -> None:
    found = judged([row for row in COMPACT if row["rung"] != missing])
    without = [verdict for verdict in found.values() if missing in verdict.why]
    assert without and all(verdict.verdict == NOT_MEASURED and verdict.value is None for verdict in without)


def test_another_picture_holds_no_bar() -> None:
    rows = [row if row["rung"] != "R5" else {**row, "picture": {"within": False}} for row in COMPACT]
    found = judged(rows)["fast profile, over the time of R3"]
    assert found.verdict == MISSED and "picture of R5" in found.why and "0.29, at most 0.33: missed" in str(found)


def test_two_threads_are_not_judged_beside_other_work() -> None:
    found = judged(COMPACT, crowded="load 4.0")["two threads, how many times as fast as one"]
    assert (found.verdict, found.why, found.value) == (NOT_MEASURED, "load 4.0", None)


def test_the_papers_size() -> None:
    rows = [row("R0", 50), row("R3", 2), row("R3-graphs", 1, within=None), row("R4-graphs", 0.3, within=False)]
    found = judged(rows, paper=True)
    assert found["the paper's size, seconds of a volume"].verdict == HOLDS
    ratio = found["the paper's size, how many times as fast as R0"]
    assert (ratio.value, ratio.verdict) == (50, HOLDS)
    assert found["the paper's size in 4 steps, seconds of a volume"].verdict == MISSED
    assert found["the paper's size in 4 steps, loss in dB"].verdict == NOT_MEASURED
    assert {verdict.verdict for verdict in judged(rows[2:3], paper=True).values()} == {HOLDS, NOT_MEASURED}
