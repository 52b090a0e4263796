"""Distances of distributions of features, KID and FID: do generated slices look like acquired ones?

Kernel inception distance, here on features of the bundle's own encoder.

Binkowski et al., ICLR 2018: the squared maximum mean discrepancy of two sets of features with the kernel
k(x, y) = (x.y / d + 1)^3, in its unbiased form, which may fall below 0. Inception's features were learned on
photographs, and its weights would have to be downloaded. Here the features are the latent of the evaluated bundle's own
autoencoder, averaged over a grid of 4 x 4 and standardized by the acquired set, so that values compare within one
bundle only. State the number of slices with each value: slices of one case are alike, and few cases tell little.

Fréchet inception distance (Heusel et al., NeurIPS 2017): the distance of two normal distributions. The covariance of N
slices has a rank of N - 1 at most: with fewer slices than features it says little, and it falls as N grows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

GRID = 4


@torch.inference_mode()
def picture_features(encode: Callable[[Tensor], Tensor], pictures: np.ndarray) -> np.ndarray:
    """Features [N,16 C] of pictures [N,H,W] in 0 to 1: the latent's mean over each cell of a 4 x 4 grid.

    Args:
        encode: pictures [B,1,H,W] in [-1,1] to latents [B,C,h,w].
        pictures: slices or radiographs.
    """
    images = torch.from_numpy(np.asarray(pictures, np.float32))[:, None] * 2 - 1
    latents = torch.cat([encode(few) for few in images.split(5)])  # [N,C,h,w]
    return F.adaptive_avg_pool2d(latents, GRID).flatten(1).cpu().numpy()


def kernel_distance(generated: np.ndarray, acquired: np.ndarray) -> float:
    """KID of features [N,D] and [M,D], standardized by the acquired ones.

    The terms of a slice with itself are left out of both sets, so that two sets of the same distribution give 0 in the
    mean; of the *same* slices in the same order those of the pairs are left out too, so that equal sets give 0.

    Raises:
        ValueError: fewer than two slices in either set, or different features.
    """
    if min(len(generated), len(acquired)) < 2 or generated.shape[1:] != acquired.shape[1:]:
        raise ValueError(f"needs two sets of two slices at least, got {generated.shape} and {acquired.shape}")
    mean, spread = acquired.mean(axis=0), np.maximum(acquired.std(axis=0), 1e-6)
    x, y = ((each.astype(np.float64) - mean) / spread for each in (generated, acquired))
    within = [_without_diagonal(_kernel(each, each)) for each in (x, y)]
    between = _kernel(x, y)
    across = _without_diagonal(between) if len(x) == len(y) else float(between.mean())
    return float(sum(within) - 2 * across)


def frechet_distance(generated: np.ndarray, acquired: np.ndarray) -> float:
    """FID of features [N,D] and [M,D], standardized by the acquired ones: |m - n|^2 + tr(S + T - 2 (S T)^(1/2)).

    Raises:
        ValueError: fewer than two slices in either set, or different features.
    """
    if min(len(generated), len(acquired)) < 2 or generated.shape[1:] != acquired.shape[1:]:
        raise ValueError(f"needs two sets of two slices at least, got {generated.shape} and {acquired.shape}")
    mean, spread = acquired.mean(axis=0), np.maximum(acquired.std(axis=0), 1e-6)
    x, y = ((each.astype(np.float64) - mean) / spread for each in (generated, acquired))
    first, second = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    # The trace of (S T)^(1/2) is the sum of the square roots of the eigenvalues of the symmetric R T R, R^2 = S.
    values, vectors = np.linalg.eigh(np.atleast_2d(first))
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    crossed = np.sqrt(np.linalg.eigvalsh(root @ np.atleast_2d(second) @ root).clip(min=0)).sum()
    apart = np.square(x.mean(axis=0) - y.mean(axis=0)).sum()
    return float(apart + np.trace(np.atleast_2d(first)) + np.trace(np.atleast_2d(second)) - 2 * crossed)


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray((x @ y.T / x.shape[1] + 1) ** 3)


def _without_diagonal(matrix: np.ndarray) -> float:
    count = len(matrix)
    return float((matrix.sum() - np.trace(matrix)) / (count * (count - 1)))
