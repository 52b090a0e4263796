"""What the MONAI parts of all bundles do alike: paths of clients, batches with meta data, results in patient space."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import MetaTensor, decollate_batch
from torch import Tensor

from monai_xray2mri.errors import UnknownName


def source_path(value: Any) -> Path:
    """The path of an image that a client named.

    Raises:
        UnknownName: it is empty, as MONAI Label's is for a name that its datastore does not hold.
    """
    if not str(value):
        raise UnknownName("image", "must be in the studies folder", "no image of that name", "Check the name.")
    return Path(value)


def items_of(batch: Tensor) -> Iterator[tuple[Tensor, Mapping[str, Any]]]:
    """The items of a batch [B,...], each with its meta data; none for a plain tensor.

    MONAI's loader collates meta data; MONAI Label puts an axis before one image and leaves its meta data alone.
    """
    metas: list[Mapping[str, Any]] = [{}] * len(batch)
    plain = batch
    if isinstance(batch, MetaTensor):
        plain = batch.as_tensor()
        metas = [one.meta for one in decollate_batch(batch)] if batch.is_batch else [batch.meta] * len(batch)
    yield from zip(plain, metas, strict=True)


def identity_of(pixels: Tensor, meta: Mapping[str, Any]) -> str:
    """What the noise follows from: ``identity`` of the meta data, else a hash of the pixels."""
    return str(meta.get("identity") or hashlib.sha256(pixels.cpu().numpy().tobytes()).hexdigest())


def placed(result: Tensor, affine: Tensor, reference: MetaTensor, keep: bool = False) -> MetaTensor:
    """A result [C,...] with its place, which the image gets, too: MONAI's inversion then finds nothing to do.

    Args:
        result: voxels or pixels.
        affine: [4,4] float64, indices to RAS mm.
        reference: the image, whose meta data name its file.
        keep: give the result all other meta data of the image as well.
    """
    axes = result.shape if result.ndim == 2 else result.shape[1:]
    place = {"affine": affine, "original_affine": affine, "spatial_shape": np.array(axes)}
    about = dict(reference.meta) if keep else {"filename_or_obj": reference.meta["filename_or_obj"]}
    reference.affine = affine
    reference.meta["spatial_shape"] = place["spatial_shape"]
    return MetaTensor(result, affine=affine, meta=about | place)
