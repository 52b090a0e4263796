"""The report of a preparation: what it used, what it skipped, and why, as ``report.json`` and ``report.txt``."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.knee.oai.join import Skipped
from monai_xray2mri.runtime.files import write_whole

REPORT_JSON, REPORT_TEXT = "report.json", "report.txt"
_EXAMPLES: Final = 5
_LINE: Final = re.compile(r", line (\d+)$")


@dataclass
class PrepareReport:
    """The outcome of a preparation.

    Attributes:
        options: options of the preparation.
        used: one record per prepared knee: participant, visit, side, split, sources and remarks.
        skipped: what was skipped.
        counts: counts of what was found.
        remarks: remarks on the release as a whole.
        files: files that were written, relative to the output.
    """

    options: dict[str, Any] = field(default_factory=dict)
    used: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def broken(self) -> list[Skipped]:
        """What was skipped because it is broken; if there is any, the exit code is 8."""
        return [one for one in self.skipped if one.broken]

    @property
    def splits(self) -> Counter[str]:
        """Number of knees per split."""
        return Counter(record["split"] for record in self.used)

    def as_record(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON."""
        return {
            "options": self.options,
            "knees": len(self.used),
            "splits": dict(self.splits),
            "counts": dict(sorted(self.counts.items())),
            "used": self.used,
            "skipped": [_plain(one) for one in self.skipped],
            "broken": len(self.broken),
            "remarks": self.remarks,
            "files": self.files,
        }

    def as_text(self) -> str:
        """The report as text: counts, and each reason with a few of its knees."""
        splits = ", ".join(f"{count} {split}" for split, count in sorted(self.splits.items())) or "none"
        lines = [
            "Preparation of an OAI release",
            "",
            f"Knees prepared: {len(self.used)} ({splits})",
            f"Left out because broken: {len(self.broken)}; out of scope: {len(self.skipped) - len(self.broken)}",
        ]
        lines += _section("Found", [f"{count} {what}" for what, count in sorted(self.counts.items())])
        lines += _section("Broken", _by_reason(self.broken))
        lines += _section("Out of scope", _by_reason([one for one in self.skipped if not one.broken]))
        lines += _section("Remarks on the release", self.remarks)
        lines += _section("Remarks on knees", _remark_lines(self.used))
        lines += _section("Written", self.files)
        return "\n".join(lines) + "\n"

    def write(self, directory: Path) -> None:
        """Write both files.

        Raises:
            UsageError: they cannot be written.
        """
        self.files = sorted({*self.files, REPORT_JSON, REPORT_TEXT})
        content = json.dumps(self.as_record(), indent=1, ensure_ascii=False) + "\n"
        write_whole(directory / REPORT_JSON, content.encode())
        write_whole(directory / REPORT_TEXT, self.as_text().encode())


def _plain(one: Skipped) -> dict[str, Any]:
    return {
        "participant": one.participant,
        "visit": one.visit,
        "side": one.side.value if one.side else None,
        "what": one.what,
        "reason": one.reason,
        "broken": one.broken,
    }


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title, *(f"  {line}" for line in lines)] if lines else []


def _kind(what: str) -> str:
    """``MR series 00m/...`` and ``table, line 7`` without path or line, so that equal reasons are counted together."""
    return " ".join(word for word in _LINE.sub("", what).split(" ") if "/" not in word)


def _by_reason(skipped: Sequence[Skipped]) -> list[str]:
    """One line for each kind and reason, the most frequent first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in skipped:
        groups.setdefault((_kind(one.what), _without_place(one)), []).append(_whose(one))
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [f"{len(whose)} x {kind}: {reason} ({_some(whose)})" for (kind, reason), whose in ordered]


def _whose(one: Skipped) -> str:
    """The knee, or the line of a table."""
    if one.participant:
        return f"{one.participant}{one.side.value if one.side else ''}"
    line = _LINE.search(one.what)
    return f"line {line[1]}" if line else one.what


def _without_place(one: Skipped) -> str:
    """The reason without paths, so that equal reasons are counted together."""
    return " ".join(word for word in one.reason.split(" ") if word.count("/") < 2)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_EXAMPLES])
    return f"{shown} and {len(names) - _EXAMPLES} more" if len(names) > _EXAMPLES else shown


def _remark_lines(used: Sequence[dict[str, Any]]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for record in used:
        for remark in record["remarks"]:
            groups.setdefault(remark, []).append(f"{record['participant']}{record['side']}")
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [f"{len(names)} x {remark} ({_some(names)})" for remark, names in ordered]
