"""What comes out for one foot: a folder with DICOM objects, pictures and ``report.json``, whole or not at all."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from monai_xray2mri.core.nifti import write_nifti
from monai_xray2mri.core.system import Outputs
from monai_xray2mri.dicom.encapsulated_pdf import ResultPage
from monai_xray2mri.dicom.image_report import can_report
from monai_xray2mri.dicom.pdf_page import render
from monai_xray2mri.dicom.result_page import page_moment
from monai_xray2mri.dicom.result_report import ResultReport
from monai_xray2mri.dicom.secondary_capture import build_sample_capture
from monai_xray2mri.dicom.synthetic_image import write_images
from monai_xray2mri.dicom.uids import encoded
from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import whole_directory
from monai_xray2mri.systems.foot_xray_sccdm.pictures import preview, save_png, write_picture
from monai_xray2mri.systems.foot_xray_sccdm.products import Products, foot_products
from monai_xray2mri.systems.foot_xray_sccdm.records import Synthesis
from monai_xray2mri.systems.foot_xray_sccdm.result_page import page_of
from monai_xray2mri.systems.foot_xray_sccdm.result_report import reported_of


@dataclass(frozen=True)
class ResultFolder:
    """Where the result of one foot lies.

    Attributes:
        directory: ``foot_right`` or ``foot_left`` below the output: ``dicom/``, ``radiograph.png``, ``page.pdf`` and
            ``page.dcm``, ``preview.png``, ``report.json``; from two samples on ``uncertainty/``; ``report.dcm`` where
            the photograph is DICOM with a date; as asked for ``samples/``, ``radiograph.nii.gz`` and ``std.nii.gz``.
    """

    directory: Path

    @property
    def radiograph(self) -> Path:
        """The radiograph as a picture, 8 bits."""
        return self.directory / "radiograph.png"

    @property
    def structured_report(self) -> Path:
        """Structured report of the angles; not there for a picture file or a photograph without any date."""
        return self.directory / "report.dcm"


def write_result(output: Path, result: Synthesis, outputs: Outputs) -> ResultFolder:
    """Write the folder of one foot, whole or not at all.

    Raises:
        InputRefused: the photograph's header has no Study Instance UID.
        UsageError: the folder holds something or cannot be written, or a parametric map is asked for.
    """
    if outputs.parametric_map:
        raise UsageError(
            "option parametric_map",
            "needs images that lie in the patient",
            "a picture that was made of a photograph",
            "Leave it out: the uncertainty image holds the same values.",
        )
    directory, products = Path(output) / result.case.name, foot_products(result, outputs.label)
    with whole_directory(directory) as draft:
        folder = ResultFolder(draft)
        _write_images(draft, products, outputs)
        write_picture(folder.radiograph, products.mean.pixel_array)
        save_png(preview(result), draft / "preview.png")
        pdf = render(page_of(products), page_moment(products.origin.header))
        (draft / "page.pdf").write_bytes(pdf)
        page = ResultPage(pdf, products.product, products.origin, products.images)
        (draft / "page.dcm").write_bytes(encoded(page))
        if can_report(products.origin.header):
            report = ResultReport(
                reported_of(products), products.product, products.origin, products.images, products.spread
            )
            folder.structured_report.write_bytes(encoded(report))
        text = json.dumps(_report(folder, products, outputs), indent=2, ensure_ascii=False)
        (draft / "report.json").write_text(text + "\n")
    return ResultFolder(directory)


def _write_images(draft: Path, products: Products, outputs: Outputs) -> None:
    """Write DICOM and, if wanted, samples and NIfTI."""
    result, product, origin = products.result, products.product, products.origin
    write_images(draft / "dicom", [products.mean])
    if products.deviation is not None:
        write_images(draft / "uncertainty", [products.deviation])
    several = outputs.sample_series and products.deviation is not None
    for number, sample in enumerate(result.samples if several else (), start=1):
        image = build_sample_capture(sample.voxels[0], number, products.grid, product, origin, label=outputs.label)
        write_images(draft / "samples" / f"sample_{number:02d}", [image])
    if outputs.nifti:
        write_nifti(draft / "radiograph.nii.gz", result.volume)
        if result.uncertainty is not None:
            write_nifti(draft / "std.nii.gz", result.uncertainty)


def _report(folder: ResultFolder, products: Products, outputs: Outputs) -> dict[str, Any]:
    """What ``report.json`` holds."""
    result, spread = products.result, products.spread
    voxels = result.volume.voxels
    return {
        **result.provenance,
        "label": outputs.label,
        "photograph": result.case.foot.photograph.name,
        "photograph_sha256": result.case.foot.photograph.sha256,
        "image": {
            "directory": "dicom",
            "picture": folder.radiograph.name,
            "size": [voxels.shape[2], voxels.shape[1]],
            "spacing_mm": result.case.foot.pixel_mm,
        },
        "angles": result.measures.record(),
        "keypoints": {
            name: {"row": round(row, 2), "column": round(column, 2), "confidence": round(float(sure), 3)}
            for (name, (row, column)), sure in zip(result.points.items(), result.measures.confidence, strict=True)
        },
        "uncertainty": None if spread is None else {"directory": "uncertainty", **asdict(spread)},
        "structured_report": folder.structured_report.name if folder.structured_report.exists() else None,
        "run": dict(result.run),
    }
