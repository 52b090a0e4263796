"""What comes out: a folder with DICOM objects, the preview and ``report.json``, whole or not at all."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from monai_xray2mri.core.nifti import write_nifti
from monai_xray2mri.core.system import Outputs
from monai_xray2mri.dicom.encapsulated_pdf import ResultPage
from monai_xray2mri.dicom.image_report import can_report
from monai_xray2mri.dicom.mr_series import build_sample_series
from monai_xray2mri.dicom.parametric_map import UncertaintyMap
from monai_xray2mri.dicom.pdf_page import render
from monai_xray2mri.dicom.result_page import page_moment
from monai_xray2mri.dicom.synthetic_image import write_images
from monai_xray2mri.dicom.uids import encoded
from monai_xray2mri.runtime.files import whole_directory
from monai_xray2mri.systems.mri_xdiffusion.preview import preview
from monai_xray2mri.systems.mri_xdiffusion.products import Products, volume_products
from monai_xray2mri.systems.mri_xdiffusion.records import Synthesis
from monai_xray2mri.systems.mri_xdiffusion.result_page import page_of
from monai_xray2mri.systems.mri_xdiffusion.result_report import report_of


@dataclass(frozen=True)
class ResultFolder:
    """Where a result lies.

    Attributes:
        directory: its folder, ``volume`` below the output: ``dicom/``, ``preview.png``, ``page.pdf`` and ``page.dcm``,
            ``report.json`` and, where the source has a date, ``report.dcm``; from two views on ``uncertainty/``; as
            asked for, ``samples/`` (the views), ``uncertainty_map.dcm``, ``volume.nii.gz`` and
            ``std.nii.gz`` (always for a source that is not DICOM).
    """

    directory: Path


def write_result(output: Path, result: Synthesis, outputs: Outputs) -> ResultFolder:
    """Write the folder of one result, whole or not at all.

    Raises:
        InputRefused: the source's header lacks what a result must share with it.
        UsageError: the folder holds something or cannot be written.
    """
    directory, products = Path(output) / result.case.name, volume_products(result, outputs.label)
    with whole_directory(directory) as draft:
        _write_images(draft, result, products, outputs)
        preview(result).save(draft / "preview.png")
        _write_page(draft, result, products)
        if can_report(products.origin.header):
            (draft / "report.dcm").write_bytes(encoded(report_of(result.case, products)))
        if outputs.nifti or not result.case.headers:
            write_nifti(draft / "volume.nii.gz", result.volume)
            if result.uncertainty is not None:
                write_nifti(draft / "std.nii.gz", result.uncertainty)
        text = json.dumps(_report(result, products, outputs), indent=2, ensure_ascii=False)
        (draft / "report.json").write_text(text + "\n")
    return ResultFolder(directory)


def _write_images(draft: Path, result: Synthesis, products: Products, outputs: Outputs) -> None:
    product, origin, uncertainty = products.product, products.origin, result.uncertainty
    write_images(draft / "dicom", products.volume)
    if uncertainty is None:
        return
    write_images(draft / "uncertainty", products.deviation)
    if outputs.parametric_map and can_report(origin.header):
        uncertainty_map = UncertaintyMap(uncertainty, product, origin, products.volume)
        (draft / "uncertainty_map.dcm").write_bytes(encoded(uncertainty_map))
    for number, view in enumerate(result.views if outputs.sample_series else (), start=1):
        images = build_sample_series(view, number, product, origin, products.volume, label=outputs.label)
        write_images(draft / "samples" / f"sample_{number:02d}", images)


def _write_page(draft: Path, result: Synthesis, products: Products) -> None:
    """Write the page as PDF and the same for a DICOM archive."""
    pdf = render(page_of(result, products), page_moment(products.origin.header))
    (draft / "page.pdf").write_bytes(pdf)
    document = ResultPage(pdf, products.product, products.origin, products.images)
    (draft / "page.dcm").write_bytes(encoded(document))


def _report(result: Synthesis, products: Products, outputs: Outputs) -> dict[str, object]:
    """What ``report.json`` holds."""
    return {
        **result.provenance,
        "label": outputs.label,
        "source": result.case.source,
        "series": {
            "directory": "dicom",
            "slices": len(products.volume),
            "size": list(result.volume.voxels.shape[::-1]),
            "spacing_mm": [round(value, 6) for value in result.volume.spacing],
        },
        "uncertainty": None if products.spread is None else {"directory": "uncertainty", **asdict(products.spread)},
        "structured_report": "report.dcm" if can_report(products.origin.header) else None,
        "run": dict(result.run),
    }
