"""What comes out for one knee: a folder with the DICOM series, the preview and ``report.json``, whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from monai_xray2mri.dicom.files import whole_directory
from monai_xray2mri.dicom.mr_series import write_mr_series
from monai_xray2mri.errors import UsageError
from monai_xray2mri.nifti import write_nifti
from monai_xray2mri.preview import preview
from monai_xray2mri.study import KneeCase
from monai_xray2mri.types import Side, Synthesis


@dataclass(frozen=True)
class KneeResult:
    """Where the result of one knee lies.

    Attributes:
        directory: its folder, ``knee_right`` or ``knee_left`` below the output.
    """

    directory: Path

    @property
    def series(self) -> Path:
        """Folder of the DICOM series."""
        return self.directory / "dicom"

    @property
    def preview(self) -> Path:
        """The preview picture."""
        return self.directory / "preview.png"

    @property
    def report(self) -> Path:
        """The report for programs."""
        return self.directory / "report.json"


def knee_directory(output: Path, side: Side) -> Path:
    """Folder of one knee below the output folder."""
    return Path(output) / f"knee_{side.word}"


def require_writable(output: Path, sides: tuple[Side, ...]) -> None:
    """Check before any compute that the results can be written; makes the output folder.

    Raises:
        UsageError: it cannot be made or written, or holds a result already.
    """
    output = Path(output)
    what, remedy = f"output folder {output.name}", "Choose another folder or correct its permissions."
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(what, "must be a folder that can be made", error.strerror or "an error", remedy) from error
    if not os.access(output, os.W_OK | os.X_OK):
        raise UsageError(what, "must be writable", "no permission", remedy)
    for side in sides:
        directory = knee_directory(output, side)
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise UsageError(what, f"must not hold {directory.name} yet", "an earlier result", "Choose another folder.")


def write_result(
    output: Path,
    case: KneeCase,
    synthesis: Synthesis,
    *,
    label: str = "corner",
    nifti: bool = False,
    run: Mapping[str, object] | None = None,
) -> KneeResult:
    """Write the folder of one knee.

    Args:
        output: the output folder.
        case: what it was generated from.
        synthesis: what was generated.
        label: ``"corner"`` burns a small SYNTHETIC into the slices, ``"none"`` does not.
        nifti: also write ``mri.nii.gz`` and, with several samples, ``std.nii.gz`` (intensities 0..1).
        run: what may differ between equal results (device, seconds); goes into ``report.json`` only.

    Raises:
        UsageError: the folder exists or cannot be written.
    """
    result = KneeResult(knee_directory(output, case.side))
    provenance = {**synthesis.provenance, "label": label}
    with whole_directory(result.directory) as draft:
        inside = KneeResult(draft)
        files = write_mr_series(
            inside.series,
            synthesis.volume,
            case.radiograph,
            report=case.report,
            provenance=provenance,
            label=label,  # type: ignore[arg-type]
        )
        preview(synthesis, case.radiograph).save(inside.preview)
        if nifti:
            write_nifti(draft / "mri.nii.gz", synthesis.volume)
            if synthesis.uncertainty is not None:
                write_nifti(draft / "std.nii.gz", synthesis.uncertainty)
        report = {
            **provenance,
            "radiograph": case.radiograph.name,
            "series": {
                "directory": inside.series.name,
                "slices": len(files),
                "size": list(synthesis.volume.voxels.shape[::-1]),
                "spacing_mm": [round(value, 6) for value in synthesis.volume.spacing],
            },
            "run": dict(run or {}),
        }
        inside.report.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return result
