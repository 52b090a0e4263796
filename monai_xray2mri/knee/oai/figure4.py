"""Fig. 4 of Wang 2024a and 2024b for a release: numbers of slices per sequence, grey value along a T1 series.

The papers count the slices of three groups of sequences (intermediate-weighted, T1, MPR). They also plot the grey value
at each relative slice position of the T1 series, and choose the modelled slices from this plot. Here position 0 is the
posterior end; for OAI this is inferred (docs/knee/oai.md).
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from monai_xray2mri.knee.data.arrays import MODELED_SLICES
from monai_xray2mri.runtime.files import write_whole

COUNTS_CSV, GRAY_CSV, PICTURE = "figure4a_slice_counts.csv", "figure4b_grey_values.csv", "figure4.png"
PERCENTILES: Final = (10, 50, 90)
NO_MATPLOTLIB: Final = "figure4.png was not drawn: it needs matplotlib (pip install 'monai-xray2mri[evaluation]')"


def sequence_group(description: str) -> str:
    """The papers' group of a series: ``IW``, ``T1``, ``MPR``, or ``other``."""
    words = description.upper().replace("-", "_").split("_")
    return next((group for group in ("MPR", "IW", "T1") if group in words), "other")


def write_figure4(
    directory: Path, slice_counts: Mapping[str, Counter[int]], slice_means: Sequence[Sequence[float]]
) -> tuple[list[Path], str]:
    """Write both parts as CSV and, where matplotlib is installed, as a picture.

    Args:
        directory: folder of the files.
        slice_counts: description of MR series to the counts of their numbers of slices.
        slice_means: for each knee the mean grey value of each slice of its T1 series, posterior first.

    Returns:
        The files, and a remark if the picture could not be drawn.

    Raises:
        UsageError: a file cannot be written.
    """
    rows = [
        (sequence_group(description), description, slices, series)
        for description, counts in sorted(slice_counts.items())
        for slices, series in sorted(counts.items())
    ]
    gray = np.asarray(slice_means, dtype=np.float64)  # [N,S]
    paths = [
        _write_csv(directory / COUNTS_CSV, ("group", "sequence", "slices", "series"), rows),
        _write_csv(directory / GRAY_CSV, ("position", "slice", "mean", "sd", *_names()), _gray_rows(gray)),
    ]
    try:
        picture = _drawn(slice_counts, gray)
    except ImportError:
        return paths, NO_MATPLOTLIB
    return [*paths, write_whole(directory / PICTURE, picture)], ""


def _names() -> list[str]:
    return [f"p{percentile}" for percentile in PERCENTILES]


def _positions(slices: int) -> np.ndarray:
    """Relative positions of slices, 0 to 1."""
    return np.arange(slices) / max(slices - 1, 1)


def _gray_rows(gray: np.ndarray) -> list[tuple[object, ...]]:
    if not gray.size:
        return []
    percentiles = np.percentile(gray, PERCENTILES, axis=0)  # [P,S]
    return [
        (f"{position:.4f}", index, *(f"{value:.5f}" for value in (mean, sd, *percentiles[:, index])))
        for index, (position, mean, sd) in enumerate(
            zip(_positions(gray.shape[1]), gray.mean(axis=0), gray.std(axis=0), strict=True)
        )
    ]


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return write_whole(path, text.getvalue().encode())


def _drawn(slice_counts: Mapping[str, Counter[int]], gray: np.ndarray) -> bytes:
    """The picture as PNG.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure  # pyplot would need a window system and keep global state

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    groups: dict[str, Counter[int]] = {}
    for description, counts in slice_counts.items():
        groups.setdefault(sequence_group(description), Counter()).update(counts)
    for group, counts in sorted(groups.items()):
        slices = sorted(counts)
        left.bar(slices, [counts[number] for number in slices], width=1.0, alpha=0.6, label=group)
    left.set(xlabel="slices", ylabel="series", title="(a) slices per series")
    if groups:
        left.legend()
        left.set_xlim(0, 1.1 * max(number for counts in groups.values() for number in counts))
    if gray.size:
        _draw_gray(right, gray)
    right.set(xlabel="proportional slice position (0 posterior)", ylabel="mean grey value", title="(b) T1 series")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()


def _draw_gray(axes: object, gray: np.ndarray) -> None:
    positions = _positions(gray.shape[1])
    low, middle, high = np.percentile(gray, PERCENTILES, axis=0)
    first, last = (positions[min(index, len(positions) - 1)] for index in MODELED_SLICES)
    axes.axvspan(first, last, color="0.92", label="modelled")  # type: ignore[attr-defined]
    axes.fill_between(positions, low, high, alpha=0.3, label="10 to 90 % of knees")  # type: ignore[attr-defined]
    axes.plot(positions, middle, label="median")  # type: ignore[attr-defined]
    axes.legend()  # type: ignore[attr-defined]
