"""MONAI transforms of the knee bundles: a radiograph file to the network's input, its output to patient space.

What may be chosen, such as a side, may be a number, a text or empty: clients of MONAI Label send all three.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform

from monai_xray2mri.core.batches import placed, source_path
from monai_xray2mri.core.bundles import require_one_model
from monai_xray2mri.core.options import read_options
from monai_xray2mri.core.saving import LPS_TO_RAS
from monai_xray2mri.core.stored_values import FULL_SCALE, RESULT_DTYPE
from monai_xray2mri.core.volumes import to_patient_space
from monai_xray2mri.knee.grading.features import one_hot
from monai_xray2mri.radiograph.knee.region import network_input
from monai_xray2mri.systems.knee_xray2mri.options import REQUEST_OPTIONS, knee_request
from monai_xray2mri.systems.knee_xray2mri.plan import plan_study, read_knee_study
from monai_xray2mri.types import Side


class RequireOneModel(Transform):
    """Lets data through if a bundle holds one model; stands before everything that takes time.

    Args:
        bundle_root: folder of the bundle.

    Raises:
        WeightsError: the bundle holds no model, or several.
    """

    def __init__(self, bundle_root: str) -> None:
        self.bundle_root = Path(bundle_root)

    def __call__(self, data: Any) -> Any:
        """The data as they are."""
        require_one_model(self.bundle_root)
        return data


class LoadKneeRegiond(MapTransform):
    """Reads a radiograph (DICOM, PNG, JPEG), checks it and cuts out the knee: [1,256,256] in [-1,1], right-knee space.

    The tensor's meta data hold ``filename_or_obj``, ``side``, ``spacing_source``, and what the inferer needs to make
    the volume that :class:`~monai_xray2mri.systems.knee_xray2mri.predictor.Xray2MRI` makes of the same file:
    ``identity``, from which the noise follows, and the one-hot ``features`` [61].

    Args:
        keys: keys of file paths.
        side: ``"R"``, ``"L"`` or empty; needed for bilateral films and where the file does not tell.
        region_mm: side of the region at the detector in mm.
        assume_spacing: take a picture without spacing as one joint region.
        image_size: side of the network's input in pixels.

    Raises:
        InputRefused: the radiograph cannot be used, or shows two knees and no side is given.
        UsageError: there is no such file or side.
    """

    def __init__(
        self,
        keys: Any,
        side: Any = None,
        region_mm: float = 110.0,
        assume_spacing: Any = False,
        image_size: int = 256,
    ) -> None:
        super().__init__(keys)
        self.region_mm, self.image_size = region_mm, image_size
        self._options = {"side": side, "assume_spacing": assume_spacing}  # read when data come: errors keep their kind

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each path by the region."""
        result, request = dict(data), knee_request(**read_options(REQUEST_OPTIONS, self._options))
        for key in self.key_iterator(result):
            path = source_path(result[key])
            plan = plan_study(read_knee_study(path), request, self.region_mm)
            case = plan.only()
            pixels = torch.from_numpy(network_input(case.roi, self.image_size)[0])  # [1,H,W]
            meta = {
                "filename_or_obj": str(path),
                "side": str(case.side),
                "spacing_source": case.radiograph.spacing_source,
                "identity": case.radiograph.identity,
                "features": one_hot(case.grading.grades),
            }
            result[key] = MetaTensor(pixels, meta=meta)
        return result


class ToPatientSpaced(MapTransform):
    """Gives a generated volume [1,H,W,S] its place in patient space: mirrored for a left knee, 0..1, affine in mm.

    The affine is put on the radiograph, too, so that MONAI's inversion of the pre-processing finds nothing to do.

    Args:
        keys: keys of volumes.
        ref_key: key of the radiograph, whose meta data tell the side.
        pixel_mm: pixel side in mm.
        slice_mm: distance of the modelled slices at their acquired number, in mm.
        slices: the acquired number of modelled slices.
    """

    def __init__(
        self, keys: Any, ref_key: str = "image", pixel_mm: float = 0.625, slice_mm: float = 1.5, slices: int = 50
    ) -> None:
        super().__init__(keys)
        self.ref_key, self.pixel_mm, self.slice_mm, self.slices = ref_key, pixel_mm, slice_mm, slices

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each volume."""
        result = dict(data)
        reference = result[self.ref_key]
        for key in self.key_iterator(result):
            generated = torch.as_tensor(result[key]).float()  # [1,H,W,S]
            spacing = (self.slices - 1) * self.slice_mm / max(generated.shape[3] - 1, 1)
            left = reference.meta["side"] == Side.LEFT
            slices = generated[0].permute(2, 0, 1).cpu().numpy()  # [S,H,W]
            patient = to_patient_space(slices, self.pixel_mm, spacing, mirrored=left)
            volume = torch.from_numpy(patient.voxels).permute(1, 2, 0)[None].to(generated.device)  # [1,H,W,S]
            ras = LPS_TO_RAS @ patient.affine[:, [1, 0, 2, 3]]  # of (row, column, slice), MONAI's order here
            result[key] = placed(volume, torch.from_numpy(ras), reference, keep=True)
        return result


class ScaleToStoredd(MapTransform):
    """Brings intensities in [0,1] to the full scale of an integer type, which a writer of that type rounds to 0 and 1.

    Args:
        keys: keys of volumes.
        dtype: type of the voxels that are stored, see :data:`~monai_xray2mri.core.stored_values.FULL_SCALE`;
            ``float32`` or empty leaves the intensities.

    Raises:
        UsageError: no such type.
    """

    def __init__(self, keys: Any, dtype: Any = None) -> None:
        super().__init__(keys)
        self.dtype = dtype

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Scale each volume; it stays of floats."""
        result, scale = dict(data), FULL_SCALE[RESULT_DTYPE.read(self.dtype)]
        for key in self.key_iterator(result):
            if scale != 1:
                result[key] = torch.round(torch.clamp(result[key] * scale, 0, scale))
        return result
