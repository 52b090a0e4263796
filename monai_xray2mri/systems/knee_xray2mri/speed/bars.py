"""What a run of the ladder is held against: ratios of two of its rungs, and seconds of the paper's size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from monai_xray2mri.evaluation.speed import MISSED, Bar

NOT_MEASURED: Final = "not measured"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What a run says of a bar.

    Attributes:
        title: of the bar.
        bar: in words.
        value: that was found; None: not measured.
        verdict: ``"holds"``, ``"missed"`` or ``"not measured"``.
        why: it is not measured, or missed in spite of its value.
    """

    title: str
    bar: str
    value: float | None
    verdict: str
    why: str = ""

    def __str__(self) -> str:
        value = "" if self.value is None else f"{self.value:.2f}, "
        return f"{self.title}: {value}{self.bar}: {self.verdict}{self.why and f' ({self.why})'}"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


@dataclass(frozen=True)
class _Ratio:
    """The time of the fastest of some rungs over that of another."""

    title: str
    rungs: tuple[str, ...]
    over: str
    bar: Bar

    def verdict(self, rows: Sequence[Row]) -> Verdict:
        """By the rows of one number of threads."""
        ours, other = _fastest(rows, self.rungs), _fastest(rows, (self.over,))
        if ours is None or other is None:
            missing = self.over if other is None else " or ".join(self.rungs)
            return _not_measured(self.title, self.bar, f"no row of {missing}")
        return _judged(self.title, self.bar, ours["spent_seconds"] / other["spent_seconds"], ours)


_PEERS: Final = (
    _Ratio("time of R3 over that of diffusers' loop", ("R3",), "diffusers", Bar(1)),
    _Ratio("time of R3 over that of MONAI's loop", ("R3",), "monai", Bar(1)),
)
_COMPACT: Final = (
    _Ratio("float32, over the time of `before`", ("R3",), "before", Bar(0.75)),
    _Ratio("bfloat16, over the time of R3", ("R3-half",), "R3", Bar(0.5)),
    _Ratio("fast profile, over the time of R3", ("R5", "R5-half"), "R3", Bar(0.33)),
    *_PEERS,
)
_FILM: Final = "a film to its result folder, without sampling and decoding, CPU s", Bar(1.5)
_THREADS: Final = "two threads, how many times as fast as one", Bar(1.7, "at least")
_OWN: Final = ("R3", "R3-half", "R3-compiled", "R3-graphs")
_FEWER: Final = ("R4-ddim", "R4-dpm", "R4-half", "R4-graphs")
_PAPER: Final = (
    ("the paper's size, seconds of a volume", Bar(1.2)),
    ("the paper's size, how many times as fast as R0", Bar(40, "at least")),
    ("the paper's size in 4 steps, seconds of a volume", Bar(0.25)),
    ("the paper's size in 4 steps, loss in dB", Bar(0.5)),
)


def verdicts(rows: Sequence[Row], film: Mapping[str, Any] | None, *, paper: bool, crowded: str) -> list[Verdict]:
    """Hold a run against all bars.

    Args:
        rows: of the ladder (:func:`~monai_xray2mri.systems.knee_xray2mri.speed.ladder.row`).
        film: what a film costs beside the networks (:func:`.around.measure_around`); None: not measured.
        paper: they are of the paper's size.
        crowded: why wall time of two threads says nothing here, if so.
    """
    single = [row for row in rows if row["threads"] == min(row["threads"] for row in rows)]
    if paper:
        return [*(ratio.verdict(single) for ratio in _PEERS), *_paper_verdicts(single)]
    found = [ratio.verdict(single) for ratio in _COMPACT]
    unmeasured = "needs --size paper on CUDA"
    beside = _judged(*_FILM, film["first_cpu_seconds"]) if film else _not_measured(*_FILM, "no film was drawn")
    return [*found, beside, _threads(rows, crowded), *(_not_measured(title, bar, unmeasured) for title, bar in _PAPER)]


def _threads(rows: Sequence[Row], crowded: str) -> Verdict:
    title, bar = _THREADS
    one, two = (_fastest([row for row in rows if row["threads"] == threads], ("R3",)) for threads in (1, 2))
    if one is None or two is None:
        return _not_measured(title, bar, "no rows of R3 with one and with two threads")
    if crowded:
        return _not_measured(title, bar, crowded)
    return _judged(title, bar, one["seconds"] / two["seconds"], two)


def _paper_verdicts(rows: Sequence[Row]) -> Iterator[Verdict]:
    own, first, fewer = (_fastest(rows, rungs) for rungs in (_OWN, ("R0",), _FEWER))
    times, ratio, few, loss = _PAPER
    yield _judged(*times, own["seconds"], own) if own else _not_measured(*times, "no row of R3")
    if own and first:
        yield _judged(*ratio, first["seconds"] / own["seconds"], own)
    else:
        yield _not_measured(*ratio, "no rows of R0 and R3")
    yield _judged(*few, fewer["seconds"]) if fewer else _not_measured(*few, "no row of R4")
    yield _not_measured(*loss, "nobody has trained weights of this size")


def _fastest(rows: Sequence[Row], rungs: Sequence[str]) -> Row | None:
    return min((row for row in rows if row["rung"] in rungs), key=lambda row: row["spent_seconds"], default=None)


def _judged(title: str, bar: Bar, value: float, row: Row | None = None) -> Verdict:
    """A way whose picture is not within its tolerance holds no bar; weights that nobody trained draw none to judge."""
    if row is not None and (row["picture"] or {}).get("within") is False:
        return Verdict(title, _words(bar), value, MISSED, f"the picture of {row['rung']} is not within its tolerance")
    return Verdict(title, _words(bar), value, bar.verdict(value))


def _not_measured(title: str, bar: Bar, why: str) -> Verdict:
    return Verdict(title, _words(bar), None, NOT_MEASURED, why)


def _words(bar: Bar) -> str:
    return f"{bar.comparison} {bar.value:g}"
