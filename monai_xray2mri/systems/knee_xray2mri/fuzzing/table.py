"""Outcomes of fuzzing as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monai_xray2mri.errors import ExitCode
from monai_xray2mri.systems.knee_xray2mri.fuzzing.harness import Outcome


@dataclass(frozen=True)
class Line:
    """Outcomes of one mutation.

    Attributes:
        mutation: its name.
        benign: whether every study of it must be used.
        studies: how many.
        used: how many were used.
        refused: how many were refused with a reason.
        problems: how many ended in any other way, or with something wrong.
    """

    mutation: str
    benign: bool
    studies: int
    used: int
    refused: int
    problems: int


def count_outcomes(outcomes: Sequence[Outcome]) -> list[Line]:
    """One line per mutation, benign ones first, in order of first use."""
    names = dict.fromkeys((not outcome.benign, outcome.mutation) for outcome in outcomes)
    lines = []
    for harmful, name in sorted(names, key=lambda key: key[0]):
        own = [outcome for outcome in outcomes if (not outcome.benign, outcome.mutation) == (harmful, name)]
        good = [outcome for outcome in own if not outcome.problems]
        used = sum(outcome.code == ExitCode.DONE for outcome in good)
        lines.append(Line(name, not harmful, len(own), used, len(good) - used, len(own) - len(good)))
    return lines


def table(lines: Sequence[Line]) -> str:
    """Lines as text in columns, with their sum."""
    head = f"{'mutation':<32} {'benign':>6} {'studies':>8} {'used':>6} {'refused':>8} {'problems':>9}"
    rows = [
        f"{line.mutation:<32} {'yes' if line.benign else '':>6} {line.studies:>8} {line.used:>6} {line.refused:>8} "
        f"{line.problems:>9}"
        for line in lines
    ]
    studies, used, refused, problems = (
        sum(getattr(line, name) for line in lines) for name in ("studies", "used", "refused", "problems")
    )
    total = f"{'all':<32} {'':>6} {studies:>8} {used:>6} {refused:>8} {problems:>9}"
    return "\n".join([head, *rows, total])
