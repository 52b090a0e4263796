"""From the SDK's selected series back to the files of the study."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from monai.deploy.core.domain.dicom_series_selection import StudySelectedSeries

from monai_xray2mri.dicom.study import StudyFile


def selected_files(files: Iterable[StudyFile], selected: Sequence[StudySelectedSeries]) -> tuple[StudyFile, ...]:
    """The files whose instances the SDK's selector has chosen.

    Args:
        files: radiographs or reports of a study.
        selected: what the selector emits: per study the series that fulfil its rule.
    """
    chosen = {
        Path(instance.get_native_sop_instance().filename).resolve()
        for study in selected
        for series in study.selected_series
        for instance in series.series.get_sop_instances()
    }
    return tuple(file for file in files if file.path.resolve() in chosen)
