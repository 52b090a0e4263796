"""MONAI's parts of the bundle: a series to the network's input, sampling, and the generated cube as a NIfTI file.

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
from monai.transforms import MapTransform

from monai_xray2mri.core.batches import identity_of, items_of, placed, source_path
from monai_xray2mri.core.bundles import require_one_model, require_weights_of
from monai_xray2mri.core.options import read_options, require_known
from monai_xray2mri.core.saving import LPS_TO_RAS
from monai_xray2mri.core.stored_values import FULL_SCALE, RESULT_DTYPE
from monai_xray2mri.systems.mri_xdiffusion.drawing import SliceView, draw_cube
from monai_xray2mri.systems.mri_xdiffusion.framing import Frame
from monai_xray2mri.systems.mri_xdiffusion.options import (
    REQUEST_OPTIONS,
    SAMPLING_OPTIONS,
    slice_request,
    slice_sampling,
)
from monai_xray2mri.systems.mri_xdiffusion.plan import plan_slices
from monai_xray2mri.systems.mri_xdiffusion.planes import places, plane_rotation, poses


class LoadGivenSlicesd(MapTransform):
    """Reads a series (DICOM folder, NIfTI, NRRD), checks it and takes its given slices: [K,D,D] in [-1,1].

    The tensor's meta data hold ``poses`` [K,11], ``identity``, and where the cube lies (``axes``, ``center``, ``box``,
    ``orientation`` ...), from which :class:`CubeToPatientd` makes a volume of the result.

    Args:
        keys: keys of paths.
        bundle_root: folder of the bundle, which must hold one model.
        **options: of :data:`~monai_xray2mri.systems.mri_xdiffusion.options.REQUEST_OPTIONS`.

    Raises:
        InputRefused: the series cannot be used.
        UsageError: there is no such file, slice or side.
        WeightsError: the bundle holds no model, or several.
    """

    def __init__(self, keys: Any, bundle_root: str, **options: Any) -> None:
        super().__init__(keys)
        self.bundle_root, self.options = Path(bundle_root), options  # read when data come: errors keep their kind

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each path by the slices."""
        require_one_model(self.bundle_root)
        result, request = dict(data), slice_request(**read_options(REQUEST_OPTIONS, self.options))
        for key in self.key_iterator(result):
            case = plan_slices(source_path(result[key]), request, self.bundle_root).only()
            view, frame = SliceView.of(case), case.frame
            meta = {
                "filename_or_obj": str(result[key]),
                "identity": view.identity,
                "poses": view.poses[0].numpy(),
                "axes": frame.axes,
                "center": frame.center,
                "side_mm": frame.side_mm,
                "counted_along": frame.axis,
                "mirrored": frame.mirrored,
                "box": case.box,
                "orientation": case.orientation,
            }
            result[key] = MetaTensor(view.slices[0], meta=meta)
        return result


class CrossSectionInferer(Inferer):
    """Samples the cube of one series at a time, as the network sees the body.

    Slices without meta data count as the middle ones of the first plane, and their pixels are their identity.

    Args:
        bundle_root: folder of the bundle whose weights the network must have; None: they are not compared.
        **options: of :data:`~monai_xray2mri.systems.mri_xdiffusion.options.SAMPLING_OPTIONS`.

    Raises:
        UsageError: an option is unknown or out of range.
        WeightsError: the network lacks weights of the bundle, or has others.
    """

    def __init__(self, bundle_root: str | None = None, **options: Any) -> None:
        super().__init__()
        self.bundle_root, self.options = bundle_root, options  # read when called: errors keep their kind

    def __call__(self, inputs: torch.Tensor, network: Any, *_: Any, **__: Any) -> torch.Tensor:
        """Slices [B,K,D,D] in [-1,1] to cubes [B,1,D,D,D] (slices, rows, columns) in [0,1]."""
        require_known(self.options, SAMPLING_OPTIONS)
        sampling = slice_sampling(network, **read_options(SAMPLING_OPTIONS, self.options))
        if self.bundle_root is not None:
            require_weights_of(Path(self.bundle_root), network)
        views = [_view(slices, meta) for slices, meta in items_of(inputs.cpu())]
        return torch.stack([draw_cube(network, view, sampling)[0][None] for view in views])


def _view(slices: torch.Tensor, meta: Mapping[str, Any]) -> SliceView:
    """Slices [K,D,D] with what the meta data tell of them."""
    number = len(slices)
    middle = poses(places(plane_rotation(0).expand(number, 3, 3), torch.zeros(number)))
    given = torch.as_tensor(meta["poses"]).float() if "poses" in meta else middle
    return SliceView(slices[None].float(), given.reshape(1, number, -1), identity_of(slices, meta))


class CubeToPatientd(MapTransform):
    """Gives a generated cube [1,D,D,D] its place in patient space: the volume [1,H,W,S], affine in RAS mm.

    The affine is put on the slices, too, so that MONAI's inversion of the pre-processing finds nothing to do.

    Args:
        keys: keys of cubes.
        ref_key: key of the slices, whose meta data tell where the cube lies.
        extent: see :class:`~monai_xray2mri.systems.mri_xdiffusion.network.CrossSectionDiffusion`.
        dtype: type of the voxels that are stored; intensities are brought to its full scale, but for ``float32``.
    """

    def __init__(self, keys: Any, ref_key: str, extent: Any, dtype: Any = None) -> None:
        super().__init__(keys)
        self.ref_key, self.extent, self.dtype = ref_key, extent, dtype

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each cube."""
        result, scale = dict(data), FULL_SCALE[RESULT_DTYPE.read(self.dtype)]
        reference = result[self.ref_key]
        meta = reference.meta
        for key in self.key_iterator(result):
            cube = torch.as_tensor(result[key]).float().cpu()[0]
            frame = Frame(
                np.asarray(meta["axes"]), np.asarray(meta["center"]), float(meta["side_mm"]), len(cube),
                int(meta["counted_along"]), bool(meta["mirrored"]),
            )  # fmt: skip
            patient = frame.volume(cube, np.asarray(meta["box"]), str(meta["orientation"]), self.extent)
            volume = torch.from_numpy(patient.voxels).permute(1, 2, 0)[None]  # [1,H,W,S]
            if scale != 1:
                volume = torch.round(torch.clamp(volume * scale, 0, scale))
            ras = torch.from_numpy(LPS_TO_RAS @ patient.affine[:, [1, 0, 2, 3]])  # of (row, column, slice)
            result[key] = placed(volume, ras, reference)
        return result
