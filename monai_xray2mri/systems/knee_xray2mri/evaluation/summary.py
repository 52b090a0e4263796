"""What a run on knees writes in addition to tables: ``metrics.json``, and the calibration for the bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.suite import Rows
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.calibration import CALIBRATION, calibrate
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.comparison import (
    CEILING,
    COMPARISON,
    METRICS,
    TRUE,
    summaries,
)

CALIBRATION_FILE: Final = "calibration.json"


def metrics(rows: Rows) -> dict[str, Any]:
    """The comparison's measures, as :func:`comparison_metrics`."""
    return comparison_metrics(rows.get(COMPARISON.name, ()))


def comparison_metrics(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """``ceilings``, ``true_volume`` and ``methods``: each measure's median, mean, ci95 and n.

    A measure that a method does not have (the interval of a method without samples) has n = 0 and nulls.
    """
    found = {
        method: {name: summary.record() for name, summary in measures.items()}
        for method, measures in summaries(rows, tuple(METRICS)).items()
    }
    true = {name: value for name, value in found.pop(TRUE, {}).items() if value["n"]}
    return {"ceilings": found.pop(CEILING, {}), "true_volume": true, "methods": found}


def calibration_file(rows: Rows, setting: KneeSetting, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The file of the calibration for the bundle; none where the study was not run, or on too few knees."""
    measured = rows.get(CALIBRATION.name, ())
    if not measured:
        return {}
    bundle = setting.bundle
    made_with = {"simulator": settings["simulator"], "sampling": asdict(bundle.sampler_settings), **bundle.record}
    try:
        found = calibrate(measured, made_with, CALIBRATION.splits[0])
    except UsageError:
        return {}  # the report says by an empty table that there were too few knees
    return {CALIBRATION_FILE: found.record()}
