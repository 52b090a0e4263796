"""What comes out for one knee: a folder with DICOM objects, the preview and ``report.json``, whole or not at all."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from monai_xray2mri.core.nifti import write_nifti
from monai_xray2mri.core.system import Label, Outputs
from monai_xray2mri.dicom.encapsulated_pdf import ResultPage
from monai_xray2mri.dicom.image_report import can_report
from monai_xray2mri.dicom.mr_series import build_sample_series
from monai_xray2mri.dicom.parametric_map import UncertaintyMap
from monai_xray2mri.dicom.pdf_page import render
from monai_xray2mri.dicom.result_page import page_moment
from monai_xray2mri.dicom.synthetic_image import write_images
from monai_xray2mri.dicom.uids import encoded
from monai_xray2mri.runtime.files import whole_directory
from monai_xray2mri.systems.knee_xray2mri.preview import Pictures, preview
from monai_xray2mri.systems.knee_xray2mri.products import Products, knee_products
from monai_xray2mri.systems.knee_xray2mri.records import Synthesis
from monai_xray2mri.systems.knee_xray2mri.result_page import page_of
from monai_xray2mri.systems.knee_xray2mri.result_report import report_of


@dataclass(frozen=True)
class ResultFolder:
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


def write_result(output: Path, synthesis: Synthesis, outputs: Outputs) -> ResultFolder:
    """Write the folder of one knee, whole or not at all; see :meth:`Synthesis.save`.

    Args:
        output: the output folder.
        synthesis: what was generated.
        outputs: what is written beside it. NIfTI files are ``mri.nii.gz`` and, of several samples, ``std.nii.gz``
            (intensities 0..1); the Parametric Map needs a radiograph with a date.

    Raises:
        UsageError: the folder holds something or cannot be written.
    """
    case = synthesis.case
    directory = Path(output) / case.name
    with whole_directory(directory) as draft:
        folder, products = ResultFolder(draft), knee_products(synthesis, outputs.label)
        _write_images(folder, products, outputs)
        pictures = Pictures.of(synthesis)
        _write_page(folder, products, pictures)
        preview(synthesis, pictures).save(folder.preview)
        if can_report(products.origin.header):
            folder.structured_report.write_bytes(encoded(report_of(products)))
        if outputs.nifti:
            _write_nifti(draft, synthesis)
        text = json.dumps(_report(folder, products, outputs.label), indent=2, ensure_ascii=False)
        folder.report.write_text(text + "\n")
    return ResultFolder(directory)


def _write_images(folder: ResultFolder, products: Products, outputs: Outputs) -> None:
    """Write the DICOM series and, if wanted, samples and Parametric Map."""
    product, origin, mean = products.product, products.origin, products.mean
    write_images(folder.series, mean)
    if products.deviation:
        write_images(folder.uncertainty, products.deviation)
    uncertainty = products.synthesis.uncertainty
    if uncertainty is not None and outputs.parametric_map and can_report(origin.header):
        folder.parametric_map.write_bytes(encoded(UncertaintyMap(uncertainty, product, origin, mean)))
    if not outputs.sample_series:
        return
    for number, sample in enumerate(products.synthesis.samples, start=1):
        images = build_sample_series(sample, number, product, origin, mean, label=outputs.label)
        write_images(folder.samples / f"sample_{number:02d}", images)


def _write_page(folder: ResultFolder, products: Products, pictures: Pictures) -> None:
    """Write the page as PDF and the same for a DICOM archive."""
    pdf = render(page_of(products, pictures), page_moment(products.origin.header))
    folder.page.write_bytes(pdf)
    document = ResultPage(pdf, products.product, products.origin, products.images)
    folder.page.with_suffix(".dcm").write_bytes(encoded(document))


def _write_nifti(draft: Path, synthesis: Synthesis) -> None:
    """Write the volume and its uncertainty for researchers."""
    write_nifti(draft / "mri.nii.gz", synthesis.volume)
    if synthesis.uncertainty is not None:
        write_nifti(draft / "std.nii.gz", synthesis.uncertainty)


def _report(folder: ResultFolder, products: Products, label: Label) -> dict[str, object]:
    """What ``report.json`` holds."""
    synthesis, spread = products.synthesis, products.spread
    return {
        **synthesis.provenance,
        "label": label,
        "radiograph": synthesis.case.radiograph.name,
        "series": {
            "directory": folder.series.name,
            "slices": len(products.mean),
            "size": list(synthesis.volume.voxels.shape[::-1]),
            "spacing_mm": [round(value, 6) for value in synthesis.volume.spacing],
        },
        "uncertainty": None if spread is None else {"directory": folder.uncertainty.name, **asdict(spread)},
        "structured_report": folder.structured_report.name if folder.structured_report.exists() else None,
        "run": dict(synthesis.run),
    }
