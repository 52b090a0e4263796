"""Agreement of bone edges and of the joint region: RSSIM, boundary F-score and SSIM of a region."""

from __future__ import annotations

import numpy as np

from monai_xray2mri.evaluation.metrics import check_pair
from monai_xray2mri.evaluation.structure import ssim_map
from monai_xray2mri.knee.measures.joint_region import JointRegion
from monai_xray2mri.runtime.optional import optional_library

CANNY_SIGMA = 3.0
"""Pixels (Wang 2024a, section IV-A.2: "we utilize the Canny operator with a sigma of 3")."""
EDGE_TOLERANCE = 2.0
"""Distance in pixels up to which two edges count as equal (1.25 mm)."""


def bone_edges(image: np.ndarray, data_range: float) -> np.ndarray:
    """Edges in one slice by the papers' Canny operator.

    Wang 2024a and 2024b give the sigma of 3 but no thresholds. This function takes scikit-image's defaults, 0.1 and 0.2
    of the range.

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
    femoral edge to the upper third of the tibial edge." The papers leave the following open. SSIM is taken here of the
    two binary edge maps (range 1), which is the order of the sentence, and averaged over all pixels of the region.
    Edges are found in the whole slice, so the border of the region makes none. The region of the truth is used for both
    volumes.

    Windows in which neither map has an edge score 1, so a prediction without any edge scores high: compare each RSSIM
    with :func:`rssim_floor`. An edge that is shifted by one pixel scores almost as low as a missing one.

    Args:
        prediction: [S,H,W].
        truth: the same shape.
        region: region of the joint in the truth (:mod:`monai_xray2mri.knee.measures.joint_region`).
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
    """:func:`rssim` of a prediction without any edge: the part of the score that comes from windows without edges.

    A prediction whose edges are all at wrong positions has a lower score.

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
    """Share of the bone edges within the region that are near an edge of the other volume (boundary F-score).

    The edges are those of :func:`rssim`. Precision is the share of predicted edge pixels within the tolerance of a true
    one, recall the share of true edge pixels within the tolerance of a predicted one, both over all slices of the
    region. The score is their harmonic mean (Csurka et al., BMVC 2013). It complements RSSIM: it is 0 without edges,
    and a shift within the tolerance does not lower it.

    Args:
        prediction: [S,H,W].
        truth: the same shape.
        region: region of the joint in the truth.
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
    """Distance [H,W] in pixels to the nearest edge; infinite if there is none."""
    if not edges.any():
        return np.full(edges.shape, np.inf)
    return np.asarray(optional_library("scipy.ndimage").distance_transform_edt(~edges))


def region_ssim(prediction: np.ndarray, truth: np.ndarray, region: JointRegion, data_range: float) -> float:
    """SSIM of the intensities within the region of the joint, mean over its slices.

    This is the other possible meaning of the sentence in the papers: the Canny operator only finds the region, and SSIM
    compares intensities there. It is reported in addition to :func:`rssim`, under its own name. The arguments are those
    of :func:`rssim`.

    Raises:
        ValueError: shapes differ, range not positive, region outside the volume.
        UsageError: scikit-image is not installed.
    """
    check_pair(prediction, truth, data_range)
    region.check(truth.shape)
    maps = (ssim_map(prediction[position], truth[position], data_range) for position in region.slices)
    return float(np.mean([score[region.window].mean() for score in maps]))
