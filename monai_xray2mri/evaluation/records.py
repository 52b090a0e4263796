"""Records of a run: JSON lines, one per case and study, written as they come, so that a killed run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.core.shards import WHOLE, Shard
from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import write_whole

Row = dict[str, Any]
"""Measures of one case under one method and condition: name to number, text, or a list of numbers."""
SETTINGS: Final = "settings.json"


class RecordFile:
    """Records of one study in ``<folder>/<study>.jsonl``, those of a shard in ``<study>.IofN.jsonl``.

    A line is ``{"case": name, "participant": name, "rows": [row, ...]}`` or ``{"case": name, "failed": reason}``; where
    methods were added later, a case has more than one, and the first to name a method counts: what no method draws (the
    truth) is measured again each time. A half line that a killed run left at the end is dropped. The
    first entry names the case: files of earlier versions have another word for ``case`` there.

    Args:
        folder: of the run's records.
        study: its name.
        shard: whose file is written; those of all shards are read.
    """

    def __init__(self, folder: Path, study: str, shard: Shard = WHOLE) -> None:
        self.path = folder / f"{study}{shard.suffix}.jsonl"
        self.lines: dict[str, dict[str, Any]] = {}
        self.read()

    def read(self) -> None:
        """Read what all shards have written so far."""
        self.lines = {}
        files = sorted(self.path.parent.glob(f"{self.path.name.partition('.')[0]}.*jsonl"))
        for file in files:
            text = file.read_text()
            whole = text[: text.rfind("\n") + 1]
            if whole != text and file == self.path:
                write_whole(file, whole.encode())
            for line in whole.splitlines():
                self._take(json.loads(line))

    def _take(self, record: dict[str, Any]) -> None:
        (_, case), *entries = record.items()
        earlier = self.lines.get(case, {})
        known = {row["method"] for row in earlier.get("rows", ()) if "method" in row}
        rows = [*earlier.get("rows", ()), *(row for row in record.get("rows", ()) if row.get("method") not in known)]
        self.lines[case] = {"case": case} | earlier | dict(entries) | {"rows": rows}

    def __contains__(self, case: str) -> bool:
        """Whether a case was measured, or found unfit, before."""
        return case in self.lines

    def add(self, case: str, participant: str, rows: Sequence[Row]) -> None:
        """Write one case's rows."""
        self._append({"case": case, "participant": participant, "rows": list(rows)})

    def fail(self, case: str, reason: str) -> None:
        """Write that a case was skipped, and why."""
        self._append({"case": case, "failed": reason})

    def _append(self, record: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as stream:
            stream.write(json.dumps(record) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        self._take(record)

    def methods_of(self, case: str) -> frozenset[str]:
        """Methods that a case has rows of."""
        return frozenset(str(row["method"]) for row in self.lines.get(case, {}).get("rows", ()) if "method" in row)

    @property
    def rows(self) -> list[Row]:
        """All rows, each with ``case`` and ``participant``."""
        return [
            {"case": record["case"], "participant": record["participant"], **row}
            for record in self.lines.values()
            for row in record["rows"]
        ]

    @property
    def failed(self) -> dict[str, str]:
        """Case to the reason why it was skipped."""
        return {name: record["failed"] for name, record in self.lines.items() if "failed" in record}


def check_settings(folder: Path, settings: Mapping[str, Any]) -> bool:
    """Write a run's settings, or see that a folder's earlier run had the same.

    Methods may be added, and left out: those that both have must be the same.

    Returns:
        Whether methods were added to those of an earlier run.

    Raises:
        UsageError: it holds a run with others; the message says which differ.
    """
    path, wanted = folder / SETTINGS, json.loads(json.dumps(settings))
    there = json.loads(path.read_text()) if path.exists() else wanted
    known, methods = there.get("methods", {}), wanted.get("methods", {})
    differ = [name for name in sorted({*there, *wanted} - {"methods"}) if there.get(name) != wanted.get(name)]
    differ += [f"method {name}" for name in methods if known.get(name, methods[name]) != methods[name]]
    if differ:
        rule, remedy = "must be empty or hold a run with these settings", "Name another folder."
        raise UsageError(f"output folder {folder.name}", rule, f"others: {', '.join(differ)}", remedy)
    write_whole(path, json.dumps(wanted | {"methods": known | methods}, indent=1).encode())
    return not methods.keys() <= known.keys()
