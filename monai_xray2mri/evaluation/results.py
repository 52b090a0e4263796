"""What an evaluation leaves behind, from the records alone: ``metrics.json``, tables, figures, ``report.html``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.evaluation.bootstrap import summarize
from monai_xray2mri.evaluation.evaluation import Evaluation, Task
from monai_xray2mri.evaluation.html_report import page
from monai_xray2mri.evaluation.plots import read_figure, write_figure
from monai_xray2mri.evaluation.study import ResultTable, column, distinct, where
from monai_xray2mri.evaluation.suite import Rows
from monai_xray2mri.evaluation.tables import write_tables
from monai_xray2mri.runtime.files import write_whole

METRICS_FILE: Final = "metrics.json"
REPORT: Final = "report.html"
FIGURES: Final = "figures"
_NO_MEASURE: Final = frozenset(("case", "participant", "split", "method"))

Pictures = list[tuple[str, bytes]]
"""Caption and PNG."""


def write_results(run: Evaluation[Any, Any], output: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Write everything into the output folder; picture sheets are those that were drawn while it was measured.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        UsageError: matplotlib is not installed, or the folder cannot be written.
    """
    suite, rows = run.suite, run.rows
    sections: list[tuple[str, list[ResultTable], Pictures]] = []
    for summary in (suite.quality, suite.claims):
        if summary is not None and (table := summary(rows, run.setting)) is not None:
            write_tables(output / "tables", [table])
            sections.append((table.title, [table], []))
    for task in run.tasks:
        if rows[task.study.name]:
            sections.append(_section(task, output))
    found = (suite.metrics or method_metrics)(rows) | {"skipped": run.failed, "settings": dict(settings)}
    _write_json(output / METRICS_FILE, found)
    for name, content in (suite.files(rows, run.setting, settings) if suite.files else {}).items():
        _write_json(output / name, content)
    write_whole(output / REPORT, page(suite.title, sections, settings, run.failed, suite.words).encode())
    return found


def _section(task: Task[Any, Any], output: Path) -> tuple[str, list[ResultTable], Pictures]:
    study, rows, folder = task.study, task.rows, output / FIGURES
    tables = study.tables(rows)
    write_tables(output / "tables", tables)
    pictures = [  # without a table there are too few cases for a figure
        (figure.caption, write_figure(figure.draw(rows), folder, figure.name)) for figure in study.figures if tables
    ]
    for sheet in study.sheets:
        if (picture := read_figure(folder, sheet.name)) is not None:
            pictures.append((sheet.caption, picture))
    return study.title, tables, pictures


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_whole(path, (json.dumps(content, indent=2) + "\n").encode())


def method_metrics(rows: Rows) -> dict[str, Any]:
    """``methods`` of ``metrics.json``: of the first study that compares methods each numeric measure's summary."""
    for of_study in rows.values():
        if methods := distinct(of_study, "method"):
            return {"methods": {method: _measures(where(of_study, method=method)) for method in methods}}
    return {"methods": {}}


def _measures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    people = [str(row["participant"]) for row in rows]
    names = [
        name
        for name in dict.fromkeys(name for row in rows for name in row)
        if name not in _NO_MEASURE and any(isinstance(row.get(name), (int, float)) for row in rows)
    ]
    return {name: summarize(column(rows, name), people).record() for name in names}
