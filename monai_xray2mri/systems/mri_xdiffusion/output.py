"""What comes out: a folder with DICOM series, the preview and ``report.json``, whole or not at all."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from monai_xray2mri.core.nifti import write_nifti
from monai_xray2mri.core.pictures import GRAY, HEIGHT, RED, montage, picture
from monai_xray2mri.core.system import Outputs
from monai_xray2mri.core.wording import SHORT_DISCLAIMER
from monai_xray2mri.dicom.mr_series import build_sample_series
from monai_xray2mri.dicom.parametric_map import UncertaintyMap
from monai_xray2mri.dicom.source import source_moment
from monai_xray2mri.dicom.synthetic_image import write_images
from monai_xray2mri.dicom.uids import encoded
from monai_xray2mri.runtime.files import whole_directory
from monai_xray2mri.systems.mri_xdiffusion.products import Products, volume_products
from monai_xray2mri.systems.mri_xdiffusion.records import Synthesis
from monai_xray2mri.types import Volume

_MARGIN, _CAPTION = 12, 26


@dataclass(frozen=True)
class ResultFolder:
    """Where a result lies.

    Attributes:
        directory: its folder, ``volume`` below the output: ``dicom/``, ``preview.png``, ``report.json``; from two views
            on ``uncertainty/``; as asked for, ``samples/`` (the views), ``uncertainty_map.dcm``, ``volume.nii.gz`` and
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
    if outputs.parametric_map and source_moment(origin.header)[0]:
        uncertainty_map = UncertaintyMap(uncertainty, product, origin, products.volume)
        (draft / "uncertainty_map.dcm").write_bytes(encoded(uncertainty_map))
    for number, view in enumerate(result.views if outputs.sample_series else (), start=1):
        images = build_sample_series(view, number, product, origin, products.volume, label=outputs.label)
        write_images(draft / "samples" / f"sample_{number:02d}", images)


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
        "run": dict(result.run),
    }


def preview(result: Synthesis) -> Image.Image:
    """The first given slice at the left, slices of the volume at the right, in the directions of the series."""
    case = result.case
    pixels = case.frame.section(case.given[0])[0].numpy()
    low, high = np.percentile(pixels, (1, 99.5))
    given = picture((pixels - low) / max(float(high - low), 1e-6)).resize((HEIGHT, HEIGHT), Image.Resampling.LANCZOS)
    slices = montage(_square(result.volume), 5, 2)
    canvas = Image.new("RGB", (given.width + slices.width + 3 * _MARGIN, HEIGHT + 2 * _CAPTION + _MARGIN), "black")
    canvas.paste(given.convert("RGB"), (_MARGIN, _CAPTION))
    canvas.paste(slices, (given.width + 2 * _MARGIN, _CAPTION))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    draw.text((_MARGIN, 5), f"Given: slice {case.given[0].number} of {case.of}, as the network sees it", GRAY, font)
    draw.text((given.width + 2 * _MARGIN, 5), f"Synthetic {case.title}, evenly spaced", GRAY, font)
    draw.text((_MARGIN, HEIGHT + _CAPTION + 8), SHORT_DISCLAIMER, RED, font)
    return canvas


def _square(volume: Volume) -> Volume:
    """A volume whose slices are filled up to squares, for pictures."""
    _, rows, columns = volume.voxels.shape
    side = max(rows, columns)
    top, left = (side - rows) // 2, (side - columns) // 2
    padding = ((0, 0), (top, side - rows - top), (left, side - columns - left))
    return Volume(np.pad(volume.voxels, padding), volume.affine)
