"""MONAI's parts of the bundle: a photograph to the network's input, sampling, and the radiograph as a picture.

What may be chosen may be a number, a text or empty: clients of MONAI Label send all three.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.inferers import Inferer
from monai.transforms import MapTransform, SaveImaged

from monai_xray2mri.core.batches import identity_of, items_of, placed, source_path
from monai_xray2mri.core.bundles import require_one_model, require_weights_of
from monai_xray2mri.core.options import read_options, require_known
from monai_xray2mri.core.stored_values import FULL_SCALE, RESULT_DTYPE
from monai_xray2mri.dicom.synthetic_image import labeled_pixels
from monai_xray2mri.systems.foot_xray_sccdm.drawing import FootView, draw_radiographs
from monai_xray2mri.systems.foot_xray_sccdm.options import (
    SAMPLING_OPTIONS,
    foot_sampling,
    photograph_request,
)
from monai_xray2mri.systems.foot_xray_sccdm.pictures import write_picture
from monai_xray2mri.systems.foot_xray_sccdm.plan import plan_feet
from monai_xray2mri.types import Side

POSTFIX = "synthetic_xray"


class LoadFootd(MapTransform):
    """Reads a photograph (PNG, JPEG, VL Photographic DICOM), checks it and cuts its foot out: [1,256,256] in [-1,1].

    The tensor's meta data hold ``identity``, ``side`` and ``pixel_mm`` (0: no scale is known), from which
    :class:`RadiographAsShownd` makes a picture of the result.

    Args:
        keys: keys of paths.
        bundle_root: folder of the bundle, which must hold one model.
        **options: of :data:`~monai_xray2mri.systems.foot_xray_sccdm.options.REQUEST_OPTIONS`.

    Raises:
        InputRefused: the photograph cannot be used, or shows two feet and no side chooses one.
        UsageError: there is no such file or side.
        WeightsError: the bundle holds no model, or several.
    """

    def __init__(self, keys: Any, bundle_root: str, **options: Any) -> None:
        super().__init__(keys)
        self.bundle_root, self.options = Path(bundle_root), options  # read when data come: errors keep their kind

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each path by the foot."""
        require_one_model(self.bundle_root)
        result, request = dict(data), photograph_request(**self.options)
        for key in self.key_iterator(result):
            case = plan_feet(source_path(result[key]), request, self.bundle_root).only()
            view = FootView.of(case)
            meta = {
                "filename_or_obj": str(result[key]),
                "identity": view.identity,
                "side": case.side.value,
                "pixel_mm": case.foot.pixel_mm or 0.0,
            }
            result[key] = MetaTensor(view.photograph[None], meta=meta)
        return result


class FootRadiographInferer(Inferer):
    """Samples the radiograph of one foot at a time; the mean of several samples.

    A photograph without meta data has its pixels for an identity.

    Args:
        bundle_root: folder of the bundle whose weights the network must have; None: they are not compared.
        **options: of :data:`~monai_xray2mri.systems.foot_xray_sccdm.options.SAMPLING_OPTIONS`.

    Raises:
        UsageError: an option is unknown or out of range.
        WeightsError: the network lacks weights of the bundle, or has others.
    """

    def __init__(self, bundle_root: str | None = None, **options: Any) -> None:
        super().__init__()
        self.bundle_root, self.options = bundle_root, options  # read when called: errors keep their kind

    def __call__(self, inputs: torch.Tensor, network: Any, *_: Any, **__: Any) -> torch.Tensor:
        """Photographs [B,1,256,256] in [-1,1] to radiographs [B,1,256,256] in [0,1], right feet, toes up."""
        require_known(self.options, SAMPLING_OPTIONS)
        sampling = foot_sampling(network, **read_options(SAMPLING_OPTIONS, self.options))
        if self.bundle_root is not None:
            require_weights_of(Path(self.bundle_root), network)
        drawn = []
        for photograph, meta in items_of(inputs.cpu()):
            samples = [one.numpy() for one in draw_radiographs(network, _view(photograph[0], meta), sampling)]
            drawn.append(torch.from_numpy(np.stack(samples).mean(axis=0))[None])
        return torch.stack(drawn)


def _view(photograph: torch.Tensor, meta: Mapping[str, Any]) -> FootView:
    return FootView(photograph.float(), identity_of(photograph, meta))


class RadiographAsShownd(MapTransform):
    """Makes a generated radiograph [1,H,W] a picture [W,H]: a left foot as a left foot.

    That is the order of MONAI's pictures; the channel goes, since MONAI Label's writer takes [1,W,H] for a volume. The
    spacing is that of the photograph's grid where a scale is known, else 1. The affine is put on the photograph,
    too, so that MONAI's inversion of the pre-processing finds nothing to do.

    Args:
        keys: keys of radiographs.
        ref_key: key of the photograph, whose meta data tell side and scale.
        dtype: type of the pixels that are stored; intensities are brought to its full scale, but for ``float32``.
    """

    def __init__(self, keys: Any, ref_key: str, dtype: Any = None) -> None:
        super().__init__(keys)
        self.ref_key, self.dtype = ref_key, dtype

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each radiograph."""
        result, scale = dict(data), FULL_SCALE[RESULT_DTYPE.read(self.dtype)]
        reference = result[self.ref_key]
        spacing = float(reference.meta["pixel_mm"]) or 1.0
        for key in self.key_iterator(result):
            picture = torch.as_tensor(result[key]).float().cpu()[0]
            if reference.meta["side"] == Side.LEFT:
                picture = picture.flip(-1)
            picture = picture.T.contiguous()  # [W,H]
            if scale != 1:
                picture = torch.round(torch.clamp(picture * scale, 0, scale))
            affine = torch.diag(torch.tensor([-spacing, -spacing, 1.0, 1.0], dtype=torch.float64))  # RAS
            result[key] = placed(picture, affine, reference)
        return result


class SavePictured(SaveImaged):
    """Writes radiographs as PNG files named after their photographs, with the word SYNTHETIC in a corner.

    Who leaves MONAI's ``SaveImaged`` out of a postprocessing, since it writes files itself, leaves this out, too.

    Args:
        keys: keys of radiographs [W,H].
        output_dir: folder, made if missing.
        dtype: type of their pixels, whose full scale is white.
    """

    def __init__(self, keys: Any, output_dir: str, dtype: Any = None) -> None:
        super().__init__(keys)
        self.output_dir, self.dtype = Path(output_dir), dtype

    def __call__(self, data: Mapping[Hashable, Any]) -> Mapping[Hashable, Any]:
        """Write; the data stay as they are."""
        self.output_dir.mkdir(parents=True, exist_ok=True)
        scale = FULL_SCALE[RESULT_DTYPE.read(self.dtype)]
        for key in self.key_iterator(dict(data)):
            picture = data[key]
            pixels = picture.cpu().numpy().T[None] / scale  # [1,H,W]
            name = Path(str(picture.meta["filename_or_obj"])).stem
            write_picture(self.output_dir / f"{name}_{POSTFIX}.png", labeled_pixels(pixels, "corner")[0])
        return data
