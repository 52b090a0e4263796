"""Figures of studies: drawn with matplotlib, written as PNG and SVG. Needs the extra ``evaluation``."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.bootstrap import Summary, summarize
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import column, distinct, where
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.runtime.optional import optional_library

COLORS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666")
"""Okabe and Ito's, which readers with any color vision tell apart."""
_KINDS: Final = ("png", "svg")


def new_figure(panels: int, width: float = 3.6, height: float = 3.4) -> tuple[Any, list[Any]]:
    """A figure with so many panels in a row.

    Raises:
        UsageError: matplotlib is not installed.
    """
    figure = optional_library("matplotlib.figure").Figure(figsize=(width * panels, height), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def bars(rows: Sequence[Row], by: str, measures: Mapping[str, str], label: str, line: float | None = None) -> Any:
    """Bars of means with their 95 % intervals: a group of bars for each value of an entry, a bar for each measure.

    Args:
        rows: of a study; those without the entry are left out.
        by: the entry.
        measures: entry of a row to its name in the legend.
        label: of the vertical axis.
        line: height of a dashed line across all bars.
    """
    groups = distinct([row for row in rows if by in row], by)
    figure, (panel,) = new_figure(1, max(5.0, 1.0 + 0.8 * len(groups)), 3.8)
    width = 0.8 / len(measures)
    for number, (name, heading) in enumerate(measures.items()):
        summaries = [measure_summary(where(rows, **{by: group}), name) for group in groups]
        known = [(place, each) for place, each in enumerate(summaries) if each.mean is not None]
        places = [place + (number - (len(measures) - 1) / 2) * width for place, _ in known]
        means = [each.mean for _, each in known]
        low, high = ([each.ci95[side] for _, each in known] for side in (0, 1))
        color = COLORS[number % len(COLORS)]
        panel.bar(places, means, width, yerr=_reach(means, low, high), label=heading, color=color, capsize=2, alpha=0.8)
    if line is not None:
        panel.axhline(line, color="black", linewidth=0.8, linestyle="--")
    panel.set_xticks(range(len(groups)), [str(group) for group in groups], rotation=30, ha="right", fontsize=8)
    panel.set_ylabel(label)
    if len(measures) > 1:
        panel.legend(frameon=False, fontsize=8)
    return figure


def _reach(means: Sequence[Any], low: Sequence[Any], high: Sequence[Any]) -> np.ndarray:
    """Lengths [2,N] below and above the means."""
    return np.abs([np.subtract(means, low), np.subtract(high, means)])


def measure_summary(rows: Sequence[Row], name: str) -> Summary:
    """Mean and interval of a measure of rows."""
    return summarize(column(rows, name), [str(row["participant"]) for row in rows])


def png(figure: Any) -> bytes:
    """A figure as PNG."""
    return _encoded(figure, "png")


def svg(figure: Any) -> bytes:
    """A figure as SVG; the same records give the same bytes."""
    with optional_library("matplotlib").rc_context({"svg.hashsalt": "xray2mri"}):
        return _encoded(figure, "svg", metadata={"Date": None})


def _encoded(figure: Any, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, dpi=130, **options)
    return stream.getvalue()


def write_figure(figure: Any, folder: Path, name: str) -> bytes:
    """Write ``NAME.png`` and ``NAME.svg``; returns the PNG. The PNG comes last: where it is, both are."""
    write_whole(folder / f"{name}.svg", svg(figure))
    picture = png(figure)
    write_whole(folder / f"{name}.png", picture)
    return picture


def read_figure(folder: Path, name: str) -> bytes | None:
    """The PNG of a figure that was written; None where it was not."""
    path = folder / f"{name}.png"
    return path.read_bytes() if path.is_file() else None


def remove_figure(folder: Path, name: str) -> None:
    """Remove a figure, if it is there."""
    for kind in _KINDS:
        (folder / f"{name}.{kind}").unlink(missing_ok=True)
