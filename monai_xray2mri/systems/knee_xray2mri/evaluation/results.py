"""What a run leaves behind: ``metrics.json``, tables, figures, ``report.html``, and the calibration for the bundle."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.html_report import page
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import Table
from monai_xray2mri.evaluation.suite import Run, Task
from monai_xray2mri.evaluation.tables import write_tables
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.systems.knee_xray2mri.evaluation import pictures
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import EvaluationKnee
from monai_xray2mri.systems.knee_xray2mri.evaluation.claims import claims_table
from monai_xray2mri.systems.knee_xray2mri.evaluation.figures import FIGURES, png, svg
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.calibration import CALIBRATION, calibrate
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.comparison import (
    CEILING,
    COMPARISON,
    METRICS,
    TRUE,
    summaries,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.hidden import HIDDEN_FEATURES

METRICS_FILE: Final = "metrics.json"
REPORT: Final = "report.html"
_COMPARED: Final = "slices"


def write_results(run: Run, output: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Write everything into the output folder, from the records alone but for the pictures.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        UsageError: matplotlib is not installed, or the folder cannot be written.
    """
    sections: list[tuple[str, list[Table], list[tuple[str, bytes]]]] = []
    claims = claims_table({task.study.name: task.rows for task in run.tasks}, run.setting.methods, run.setting.main)
    if claims is not None:
        write_tables(output / "tables", [claims])
        sections.append((claims.title, [claims], []))
    for task in run.tasks:
        rows = task.rows
        if not rows:
            continue
        tables = task.study.tables(rows)
        write_tables(output / "tables", tables)
        drawn = _figures(task, tables, output / "figures") + _pictures(run, task, output / "figures")
        sections.append((task.study.title, tables, drawn))
    found = metrics(_rows(run, COMPARISON.name)) | {"skipped": run.failed, "settings": dict(settings)}
    write_whole(output / METRICS_FILE, (json.dumps(found, indent=2) + "\n").encode())
    _write_calibration(run, output, settings)
    write_whole(output / REPORT, page("Evaluation of Xray2MRI", sections, settings, run.failed).encode())
    return found


def forget_pictures(output: Path) -> None:
    """Remove the picture that shows all methods, for methods were added; it is drawn again with the results."""
    for path in (output / "figures").glob(f"{_COMPARED}.*"):
        path.unlink()


def _rows(run: Run, study: str) -> list[dict[str, Any]]:
    return next((task.rows for task in run.tasks if task.study.name == study), [])


def _figures(task: Task, tables: list[Table], folder: Path) -> list[tuple[str, bytes]]:
    if not tables:  # too few knees to calibrate
        return []
    drawn = []
    for name, caption, draw in FIGURES.get(task.study.name, ()):
        drawn.append((caption, _written(draw(task.rows), name, folder)))
    return drawn


def _written(figure: Any, name: str, folder: Path) -> bytes:
    picture = png(figure)
    write_whole(folder / f"{name}.png", picture)
    write_whole(folder / f"{name}.svg", svg(figure))
    return picture


def _pictures(run: Run, task: Task, folder: Path) -> list[tuple[str, bytes]]:
    """Pictures of the first knees; they are drawn once, and again only where they are missing."""
    wanted = {
        COMPARISON.name: (_COMPARED, "Slices of the methods, and Sobel differences (after Wang 2024a, Table II)"),
        HIDDEN_FEATURES.name: ("hidden_slices", "Hidden features on and off (after Wang 2024a, Table III)"),
        "depth": ("between", "Slices between two true ones (after Wang 2024a, Table IV)"),
    }
    if task.study.name not in wanted:
        return []
    name, caption = wanted[task.study.name]
    there = folder / f"{name}.png"
    if there.is_file():
        return [(caption, there.read_bytes())]
    setting, rows = run.setting, task.rows
    if task.study is COMPARISON:
        run.fit(lambda: None)
        figure = pictures.compared(setting, _knees(task, pictures.one_of_each_grade(rows)))
    elif task.study is HIDDEN_FEATURES:
        chosen = pictures.one_of_each_kind(rows)
        if not chosen:
            return []
        figure = pictures.switched(setting, dict(zip(chosen, _knees(task, chosen.values()), strict=True)))
    else:
        figure = pictures.between(setting, _knees(task, [str(rows[0]["knee"])])[0])
    return [(caption, _written(figure, name, folder))]


def _knees(task: Task, names: Iterable[str]) -> list[EvaluationKnee]:
    """Knees of a study that were measured before, by name."""
    (cohort,) = task.cohorts.values()
    return [cohort[list(cohort.names).index(name)] for name in names]


def _write_calibration(run: Run, output: Path, settings: Mapping[str, Any]) -> None:
    rows = _rows(run, CALIBRATION.name)
    if not rows:
        return
    split = CALIBRATION.splits[0]
    bundle = run.setting.bundle
    setting = {"simulator": settings["simulator"], "sampling": bundle.sampling(), **bundle.record}
    try:
        found = calibrate(rows, setting, split)
    except UsageError:
        return  # the report says by an empty table that there were too few knees
    write_whole(output / "calibration.json", (json.dumps(found.record(), indent=2) + "\n").encode())


def metrics(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """``methods`` and, beside them, ``ceilings`` and ``true_volume``: each measure's median, mean, ci95 and n.

    A measure that a method does not have (the interval of a method without samples) has n = 0 and nulls.
    """
    found = {
        method: {name: summary.record() for name, summary in measures.items()}
        for method, measures in summaries(rows, tuple(METRICS)).items()
    }
    true = {name: value for name, value in found.pop(TRUE, {}).items() if value["n"]}
    return {"ceilings": found.pop(CEILING, {}), "true_volume": true, "methods": found}
