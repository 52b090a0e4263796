"""Agreement of bone edges and regions: RSSIM and its relatives."""

from __future__ import annotations

import numpy as np

from monai_xray2mri.evaluation.metrics import check_pair
from monai_xray2mri.evaluation.structure import ssim_map
from monai_xray2mri.knee.measures.joint_region import JointRegion
from monai_xray2mri.runtime.optional import optional_library

CANNY_SIGMA = 3.0
"""Pixels (Wang 2024a, section IV-A.2: "we utilize the Canny operator with a sigma of 3")."""
EDGE_TOLERANCE = 2.0
"""Pixels between two edges that count as one; 1.25 mm."""


def bone_edges(image: np.ndarray, data_range: float) -> np.ndarray:
    """Edges that the papers' Canny operator finds in one slice.

    Wang 2024a and 2024b give the sigma of 3 and no thresholds: scikit-image's own (0.1 and 0.2 of the range) are used.

    Args:
        image: [H,W].
        data_range: largest minus smallest possible value.

    Returns:
        [H,W] bool.

    Raises:
        UsageError: scikit-image is not installed.
    """
    canny = optional_library("skimage.feature").canny
    return np.asarray(canny(image.astype(np.float64) / data_range, sigma=CANNY_SIGMA, mode="nearest"))


def rssim(prediction: np.ndarray, truth: np.ndarray, region: JointRegion, data_range: float) -> float:
    """Region-specific SSIM: the SSIM of the bone edges within the region of the joint, mean over its slices.

    Wang 2024a (section IV-A.2) and 2024b (section 4.1.2): "we utilize the Canny operator with a sigma of 3 to filter
    and extract bone edges, followed by the application of SSIM. Specifically, we focus on the lower third of the
    femoral edge to the upper third of the tibial edge." Where they are silent: SSIM is taken of the two binary edge
    maps (range 1), as the order of the sentence says, and averaged over all pixels of the region; the edges are found
    in the whole slice, so that the region's border makes none; the region is that of the truth, for both.

    Windows in which neither map has an edge score 1, so that a prediction without any edge scores high: compare each
    RSSIM with :func:`rssim_floor`. A shift by one pixel already costs an edge nearly all that it can lose.

    Args:
        prediction: [S,H,W].
        truth: the same shape.
        region: of the truth, see :mod:`monai_xray2mri.knee.measures.joint_region`.
        data_range: largest minus smallest possible value.

    Returns:
        1 for equal edges.

    Raises:
        ValueError: shapes differ, range not positive, region outside the volume.
        UsageError: scikit-image is not installed.
    """
    check_pair(prediction, truth, data_range)
    region.check(truth.shape)
    scores = []
    for position in region.slices:
        one, other = (bone_edges(volume[position], data_range).astype(np.float64) for volume in (prediction, truth))
        scores.append(ssim_map(one, other, 1.0)[region.window].mean())
    return float(np.mean(scores))


def rssim_floor(truth: np.ndarray, region: JointRegion, data_range: float) -> float:
    """:func:`rssim` of a prediction without any edge: what the empty parts of the region give to everyone.

    A prediction whose edges miss the true ones falls below it.

    Raises:
        ValueError: as :func:`rssim`.
        UsageError: scikit-image is not installed.
    """
    return rssim(np.zeros_like(truth), truth, region, data_range)


def edge_agreement(
    prediction: np.ndarray,
    truth: np.ndarray,
    region: JointRegion,
    data_range: float,
    tolerance_pixels: float = EDGE_TOLERANCE,
) -> float:
    """Share of the bone edges within the region that lie near an edge of the other volume (boundary F-score).

    The same edges as :func:`rssim`; precision is the share of the prediction's edge pixels within the tolerance of a
    true one, recall the share of true ones within the tolerance of a predicted one, both over all slices of the
    region; the score is their harmonic mean (Csurka et al., BMVC 2013). It is reported with RSSIM because it is 0
    without edges and does not punish a shift within the tolerance.

    Args:
        prediction: [S,H,W].
        truth: the same shape.
        region: of the truth.
        data_range: largest minus smallest possible value.
        tolerance_pixels: distance up to which two edges count as one.

    Returns:
        0 to 1; 1 where neither volume has an edge.

    Raises:
        ValueError: shapes differ, range not positive, region outside the volume.
        UsageError: scikit-image is not installed.
    """
    check_pair(prediction, truth, data_range)
    region.check(truth.shape)
    counts = np.zeros((2, 2))  # (prediction, truth) x (near, all)
    for position in region.slices:
        edges = [bone_edges(volume[position], data_range) for volume in (prediction, truth)]
        for row, (own, other) in enumerate((edges, edges[::-1])):
            own = own[region.window]
            counts[row] += (own & (_distance(other)[region.window] <= tolerance_pixels)).sum(), own.sum()
    if not counts[:, 1].any():
        return 1.0
    precision, recall = counts[:, 0] / np.maximum(counts[:, 1], 1)
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def _distance(edges: np.ndarray) -> np.ndarray:
    """Distance in pixels to the nearest edge of [H,W]; infinite without any."""
    if not edges.any():
        return np.full(edges.shape, np.inf)
    return np.asarray(optional_library("scipy.ndimage").distance_transform_edt(~edges))


def region_ssim(prediction: np.ndarray, truth: np.ndarray, region: JointRegion, data_range: float) -> float:
    """SSIM of the intensities within the region of the joint, mean over its slices.

    The other reading of the papers' sentence: Canny only finds the region, SSIM compares the images there. It is
    reported beside :func:`rssim` under its own name.

    Raises:
        ValueError: shapes differ, range not positive, region outside the volume.
        UsageError: scikit-image is not installed.
    """
    check_pair(prediction, truth, data_range)
    region.check(truth.shape)
    maps = (ssim_map(prediction[position], truth[position], data_range) for position in region.slices)
    return float(np.mean([score[region.window].mean() for score in maps]))
