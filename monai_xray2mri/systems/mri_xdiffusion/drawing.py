"""From given slices to views of their volume: the one way that all callers of the network take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.core.system import Progress
from monai_xray2mri.diffusion.guidance import Condition
from monai_xray2mri.diffusion.precision import DTYPES
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.systems.mri_xdiffusion.augmentation import AUGMENTATIONS
from monai_xray2mri.systems.mri_xdiffusion.case import SliceCase
from monai_xray2mri.systems.mri_xdiffusion.generation import Views, generate_view
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion
from monai_xray2mri.systems.mri_xdiffusion.options import SliceSampling
from monai_xray2mri.systems.mri_xdiffusion.planes import plane_axis, split_places
from monai_xray2mri.systems.mri_xdiffusion.refinement import Refinement, consistent, entropy_refined
from monai_xray2mri.systems.mri_xdiffusion.sections import SampledVolume, ViewAverage, slices_along, turn, volume_along
from monai_xray2mri.systems.mri_xdiffusion.volumes.reading import PERCENTILES


@dataclass(frozen=True)
class SliceView:
    """What the network is given of one case.

    Attributes:
        slices: [1,K,D,D] in [-1,1], -1 where nothing was acquired.
        poses: of the slices, [1,K,11].
        identity: of the slices, from which the random numbers follow.
    """

    slices: Tensor
    poses: Tensor
    identity: str

    @classmethod
    def of(cls, case: SliceCase) -> SliceView:
        """The slices of a case, their intensities scaled by percentiles of all of them together.

        Nothing else of the series is looked at: a volume from slices must not know the others.

        Raises:
            InputRefused: nearly all pixels are alike.
        """
        sections = [case.frame.section(one) for one in case.given]
        pixels, known, poses = (torch.stack(parts) for parts in zip(*sections, strict=True))
        return cls(scaled_slices(pixels, known, case.level)[None] * 2 - 1, poses[None], case.identity)

    def condition(self, network: CrossSectionDiffusion) -> Condition:
        """The slices as a network takes them, on its device."""
        with torch.inference_mode():
            return network.condition(self.slices.to(network.null_context), self.poses.to(network.null_context))

    @property
    def axis(self) -> int | None:
        """Of the cube that all slices are counted along; None where they are not parallel."""
        axes = plane_axis(split_places(self.poses[0])[0])
        return int(axes[0]) if (axes == axes[0]).all() else None

    def slabs(self) -> list[SampledVolume]:
        """The slices as volumes one voxel thick, intensities in [0,1]."""
        size, found = self.slices.shape[-1], []
        axes = plane_axis(split_places(self.poses[0])[0]).tolist()
        for image, pose, axis in zip(self.slices[0], self.poses[0], axes, strict=True):
            start, end, depth = [-1.0] * 3, [1.0] * 3, float(pose[9])
            start[2 - axis], end[2 - axis] = depth - 1 / size, depth + 1 / size
            voxels = volume_along(((image + 1) / 2)[None], axis)
            found.append(SampledVolume(voxels, tuple(start), tuple(end)))  # type: ignore[arg-type]
        return found


def scaled_slices(pixels: Tensor, known: Tensor, level: float = 1.0) -> Tensor:
    """Slices [K,D,D] to [0,1], their upper percentile to ``level``; 0 where not known (``known``, same shape, bool).

    Raises:
        InputRefused: nearly all pixels are alike.
    """
    low, high = np.percentile(pixels[known].numpy(), PERCENTILES)
    if not high > low:
        raise InputRefused("slices", "must show something", f"intensities {low:g} to {high:g} in nearly all of them")
    return ((pixels - low) / (high - low) * level).clamp(0, 1) * known


def views_of(sampling: SliceSampling) -> Views:
    """Which views a sampling asks for."""
    if sampling.directions == "planes":
        return Views.planes(sampling.aggregate)
    kind = Views.around if sampling.directions == "around" else Views.samples
    return kind(sampling.views, sampling.aggregate)


def views_per_case(sampling: SliceSampling) -> int:
    """Views that are drawn at most, those of changed slices among them."""
    return len(views_of(sampling).rotations) * len(AUGMENTATIONS[sampling.augment])


def draw_views(
    network: CrossSectionDiffusion, given: SliceView, sampling: SliceSampling, progress: Progress | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Draw the views of a case one after another, each with its own noise.

    Args:
        network: the network.
        given: its slices.
        sampling: how.
        progress: called with the number of sections done since.

    Yields:
        Each turned back, R^T X_R, [D,D,D] in [0,1] as the network sees the body, and where it is known (same shape,
        bool).

    Raises:
        UsageError: slices that are not parallel are to be changed in their plane.
    """
    axis = given.axis
    if sampling.augment != "none" and axis is None:
        raise UsageError("option augment", "needs slices of one direction", "several", "Choose none.")
    number = 0
    for rotation in views_of(sampling).rotations:
        for change in AUGMENTATIONS[sampling.augment]:
            generator = case_generator(sampling.seed, given.identity, "view", number)
            number += 1
            if not change.fits(given.poses):
                if progress is not None:
                    progress(network.image_size)
                continue
            slices, poses = change.slices(given.slices, given.poses)
            changed = SliceView(slices, poses, given.identity)
            view = generate_view(
                network,
                changed.condition(network),
                rotation,
                generator,
                settings=sampling.sampler,
                refinement=_refinement(network, changed, sampling.refine),
                chunk=sampling.chunk,
                dtype=DTYPES[sampling.dtype],
                callback=progress,
            )
            back, known = turn(view, rotation.T)
            yield change.undo(back, known, axis or 0)


def draw_cube(
    network: CrossSectionDiffusion, given: SliceView, sampling: SliceSampling, progress: Progress | None = None
) -> tuple[Tensor, Tensor | None, list[Tensor]]:
    """The volume of a case as the network sees the body.

    Args:
        network: the network.
        given: its slices.
        sampling: how.
        progress: called with the number of sections done since.

    Returns:
        The aggregate of the views [D,D,D] in [0,1]; their standard deviation, None for one view; and the views where
        there are several, [D,D,D] in 16 bits each, 0 where a view says nothing.

    Raises:
        UsageError: slices that are not parallel are to be changed in their plane.
    """
    average, views = ViewAverage(network.image_size, sampling.aggregate), []
    for back, known in draw_views(network, given, sampling, progress):
        average.add(back, known)
        views.append((back * known).half())
    cube, spread = average.volume(), average.spread() if len(views) > 1 else None
    for image, pose in zip(given.slices[0] if sampling.keep_input else (), given.poses[0], strict=False):
        cube = laid_in(cube, (image + 1) / 2, pose, image > -1)
        if spread is not None:
            spread = laid_in(spread, torch.zeros_like(image), pose, image > -1)
    return cube, spread, views if len(views) > 1 else []


def laid_in(cube: Tensor, pixels: Tensor, pose: Tensor, known: Tensor) -> Tensor:
    """A cube [D,D,D] with known pixels [D,D] of a slice of a pose [11] in it, at the nearest section."""
    axis, size = int(plane_axis(split_places(pose[None])[0])[0]), len(cube)
    index = min(max(round((float(pose[9]) + 1) * size / 2 - 0.5), 0), size - 1)
    sections = slices_along(cube, axis).clone()
    sections[index][known] = pixels[known]
    return volume_along(sections, axis)


def _refinement(network: CrossSectionDiffusion, given: SliceView, name: str) -> Refinement | None:
    if name == "none":
        return None
    return consistent(network, given.slabs()) if name == "consistent" else entropy_refined(name == "entropy_max")
