"""What comes out for one knee: a folder with DICOM objects, the preview and ``report.json``, whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from monai_xray2mri.core.nifti import write_nifti
from monai_xray2mri.dicom.burn_in import Label
from monai_xray2mri.dicom.encapsulated_pdf import ResultPage
from monai_xray2mri.dicom.mr_image import SyntheticMRImage
from monai_xray2mri.dicom.mr_series import build_mr_series, build_sample_series, write_images
from monai_xray2mri.dicom.parametric_map import UncertaintyMap
from monai_xray2mri.dicom.pdf_page import render
from monai_xray2mri.dicom.product import Origin
from monai_xray2mri.dicom.uids import encoded
from monai_xray2mri.dicom.uncertainty import SpreadSummary, build_uncertainty_series
from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import whole_directory
from monai_xray2mri.systems.knee_xray2mri.plan import KneeCase
from monai_xray2mri.systems.knee_xray2mri.preview import preview
from monai_xray2mri.systems.knee_xray2mri.products import knee_product, source_header
from monai_xray2mri.systems.knee_xray2mri.records import Synthesis
from monai_xray2mri.systems.knee_xray2mri.result_page import page_moment, page_of
from monai_xray2mri.systems.knee_xray2mri.result_report import ResultReport, can_report
from monai_xray2mri.types import Side


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
    def uncertainty(self) -> Path:
        """Folder of the uncertainty series; there from two samples on."""
        return self.directory / "uncertainty"

    @property
    def parametric_map(self) -> Path:
        """The uncertainty as a Parametric Map, if it was asked for."""
        return self.directory / "uncertainty_map.dcm"

    @property
    def samples(self) -> Path:
        """Folder of the samples' series, ``sample_01`` ..., if they were asked for."""
        return self.directory / "samples"

    @property
    def structured_report(self) -> Path:
        """Structured report of what was used; not there for a picture or a film without any date."""
        return self.directory / "report.dcm"

    @property
    def page(self) -> Path:
        """Page with pictures as PDF; ``page.dcm`` beside it holds the same for a DICOM archive."""
        return self.directory / "page.pdf"

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
    label: Label = "corner",
    nifti: bool = False,
    samples: bool = False,
    parametric_map: bool = False,
    run: Mapping[str, object] | None = None,
) -> KneeResult:
    """Write the folder of one knee.

    Args:
        output: the output folder.
        case: what it was generated from.
        synthesis: what was generated.
        label: ``"corner"`` burns a small SYNTHETIC into the slices, ``"none"`` does not.
        nifti: also write ``mri.nii.gz`` and, with several samples, ``std.nii.gz`` (intensities 0..1).
        samples: also write a series per sample.
        parametric_map: also write the uncertainty as ``uncertainty_map.dcm``, if the radiograph has a date.
        run: what may differ between equal results (device, seconds); goes into ``report.json`` only.

    Raises:
        UsageError: the folder exists or cannot be written.
    """
    result = KneeResult(knee_directory(output, case.side))
    provenance = {**synthesis.provenance, "label": label}
    with whole_directory(result.directory) as draft:
        inside = KneeResult(draft)
        written = _write_dicom(inside, case, synthesis, provenance, label, samples, parametric_map)
        preview(synthesis, case.radiograph).save(inside.preview)
        if nifti:
            write_nifti(draft / "mri.nii.gz", synthesis.volume)
            if synthesis.uncertainty is not None:
                write_nifti(draft / "std.nii.gz", synthesis.uncertainty)
        report = {**provenance, "radiograph": case.radiograph.name, **written, "run": dict(run or {})}
        inside.report.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return result


def _write_dicom(
    inside: KneeResult,
    case: KneeCase,
    synthesis: Synthesis,
    provenance: Mapping[str, object],
    label: Label,
    samples: bool,
    parametric_map: bool,
) -> dict[str, object]:
    """Write the DICOM objects of a knee; returns what ``report.json`` says about them."""
    # remarks name files, and a study is the same whatever its files are called
    made_by = {key: value for key, value in provenance.items() if key != "remarks"}
    product, origin = knee_product(case.side), Origin(source_header(case.radiograph), made_by, case.report)
    mean = build_mr_series(synthesis.volume, product, origin, label=label)
    write_images(inside.series, mean)
    images: list[SyntheticMRImage] = list(mean)
    spread = None
    if synthesis.uncertainty is not None:
        spread = SpreadSummary.of(synthesis.uncertainty.voxels, len(synthesis.samples))
        deviation = build_uncertainty_series(synthesis.uncertainty, product, origin, mean)
        write_images(inside.uncertainty, deviation)
        images += deviation
        if parametric_map and can_report(origin.header):
            floats = UncertaintyMap(synthesis.uncertainty, product, origin, mean)
            inside.parametric_map.write_bytes(encoded(floats))
    for number, sample in enumerate(synthesis.samples if samples else (), start=1):
        one = build_sample_series(sample, number, product, origin, mean, label=label)
        write_images(inside.samples / f"sample_{number:02d}", one)
    _write_page(inside, case, synthesis, origin, images, spread)
    has_report = _write_report(inside, case, synthesis, origin, images, spread)
    return {
        "series": {
            "directory": inside.series.name,
            "slices": len(mean),
            "size": list(synthesis.volume.voxels.shape[::-1]),
            "spacing_mm": [round(value, 6) for value in synthesis.volume.spacing],
        },
        "uncertainty": None if spread is None else {"directory": inside.uncertainty.name, **asdict(spread)},
        "structured_report": inside.structured_report.name if has_report else None,
    }


def _write_page(
    inside: KneeResult,
    case: KneeCase,
    synthesis: Synthesis,
    origin: Origin,
    images: list[SyntheticMRImage],
    spread: SpreadSummary | None,
) -> None:
    pdf = render(page_of(case, synthesis, origin.header, spread), page_moment(origin.header))
    inside.page.write_bytes(pdf)
    document = ResultPage(pdf, knee_product(case.side), origin, images)
    inside.page.with_suffix(".dcm").write_bytes(encoded(document))


def _write_report(
    inside: KneeResult,
    case: KneeCase,
    synthesis: Synthesis,
    origin: Origin,
    images: list[SyntheticMRImage],
    spread: SpreadSummary | None,
) -> bool:
    """Write the structured report; False where the radiograph has no date or nothing to refer to."""
    if not can_report(origin.header):
        return False
    remarks = list(case.remarks)
    document = ResultReport(
        synthesis.grading,
        case.side,
        knee_product(case.side),
        origin,
        images,
        remarks=remarks,
        spread=spread,
    )
    inside.structured_report.write_bytes(encoded(document))
    return True
