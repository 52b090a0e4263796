"""Figures of the studies from their rows, those of the papers among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.conformal import LEVEL, SCALES
from monai_xray2mri.evaluation.plots import COLORS, bars, measure_summary, new_figure
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import Figure, column, distinct, where
from monai_xray2mri.knee.measures.crop import SPACING_MM
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.calibration import NOT_RECORDED, WIDTHS, calibrate
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.comparison import CEILING, TRUE

_GRAY: Final = "#999999"
_BOXES: Final = {
    "psnr": "PSNR in dB",
    "ssim": "SSIM",
    "rssim": "RSSIM",
    "joint_space_width_error_mm": "joint space error in mm",
}


def boxes(rows: Sequence[Row]) -> Any:
    """Box plots of the methods (Wang 2024a, Fig. 5; Wang 2024b, Fig. 5), the ceiling in grey."""
    methods = [name for name in distinct(rows, "method") if name != TRUE]
    figure, axes = new_figure(len(_BOXES), width=2.6 + 0.25 * len(methods), height=4.2)
    for panel, (name, label) in zip(axes, _BOXES.items(), strict=True):
        values = [_finite(where(rows, method=method), name) for method in methods]
        drawn = panel.boxplot(values, patch_artist=True, widths=0.6, medianprops={"color": "black"})
        for place, box in enumerate(drawn["boxes"]):
            ceiling = methods[place] == CEILING
            box.set(facecolor=_GRAY if ceiling else COLORS[place % len(COLORS)], alpha=0.6)
        panel.set_xticks(range(1, len(methods) + 1), methods, rotation=35, ha="right", fontsize=8)
        panel.set_ylabel(label)
    return figure


def spectra(rows: Sequence[Row]) -> Any:
    """Power along depth of true and generated volumes."""
    figure, (panel,) = new_figure(1, 5.2)
    for place, method in enumerate(distinct(rows, "method")):
        power = np.mean([row["depth_power"] for row in where(rows, method=method)], axis=0)
        frequency = np.linspace(0, 1 / (2 * SPACING_MM[0]), len(power))
        color = "black" if method == TRUE else COLORS[(place - 1) % len(COLORS)]
        panel.semilogy(frequency[1:], power[1:], label=method, color=color)
    panel.set(xlabel="frequency along depth in 1/mm", ylabel="power in intensity² mm")
    panel.legend(fontsize=7, frameon=False)
    return figure


def depth_curve(rows: Sequence[Row]) -> Any:
    """Correlation over the number of slices (Wang 2024a, Fig. 6), generated and true at the same spacing."""
    counts = sorted(distinct(rows, "slices"))
    figure, (panel,) = new_figure(1, 5.2)
    for name, color in (("generated", COLORS[0]), ("true", "black")):
        _with_interval(panel, counts, [where(rows, slices=count) for count in counts], name, color)
    panel.set(xlabel="slices s over 73.5 mm", ylabel="adjacent-slice correlation", xscale="log")
    panel.set_xticks(counts, [str(count) for count in counts])
    panel.minorticks_off()
    panel.legend(frameon=False)
    return figure


def _with_interval(panel: Any, places: Sequence[float], groups: Sequence[Sequence[Row]], name: str, color: str) -> None:
    found = [measure_summary(group, name) for group in groups]
    panel.plot(places, [each.mean for each in found], color=color, marker="o", label=name)
    low, high = ([each.ci95[side] for each in found] for side in (0, 1))
    panel.fill_between(places, low, high, color=color, alpha=0.2, linewidth=0)


def expression(rows: Sequence[Row]) -> Any:
    """Share of lesions shown where they truly are and are not, by what the method is told."""
    shares = [
        {"name": row["condition"], "participant": row["participant"],
         "present" if row["there"] else "absent": row["shown"]}
        for row in rows
        if "condition" in row
    ]  # fmt: skip
    return bars(shares, "name", {"present": "truly there", "absent": "truly absent"}, "share of lesions shown")


def contrasts(rows: Sequence[Row]) -> Any:
    """Contrast of lesions, true and generated."""
    headings = {"contrast_true": "true", "contrast_generated": "generated"}
    return bars([row for row in rows if "kind" in row], "kind", headings, "change of intensity", 0.0)


def widths(rows: Sequence[Row]) -> Any:
    """Generated joint space over the true one, a panel for each condition."""
    conditions = distinct(rows, "condition")
    figure, axes = new_figure(len(conditions), 2.9, 3.2)
    top = 1.05 * max(column(rows, "true_mm"), default=8.0)
    for panel, condition in zip(axes, conditions, strict=True):
        chosen = where(rows, condition=condition)
        panel.plot([0, top], [0, top], color=_GRAY, linewidth=0.8)
        for grade in range(4):
            graded = where(chosen, narrowing=grade)
            color = COLORS[grade]
            panel.scatter(column(graded, "true_mm"), column(graded, "found_mm"), s=14, color=color, label=str(grade))
        panel.set(xlabel="true mm", xlim=(0, top), ylim=(0, top), aspect="equal")
        panel.set_title(condition, fontsize=8)
    axes[0].set_ylabel("found mm")
    axes[-1].legend(title="narrowing", fontsize=7, title_fontsize=7, frameon=False)
    return figure


def coverage(rows: Sequence[Row]) -> Any:
    """Coverage by region at 90 %, calibrated, one width for all, and uncalibrated, on the knees kept for it."""
    splits = distinct(rows, "split")
    found = calibrate(rows, NOT_RECORDED, splits[0])
    at, width = (
        int(np.searchsorted(tried, value)) for tried, value in ((SCALES, found.scale), (WIDTHS, found.constant))
    )
    shares = [
        {"region": row["region"], "participant": row["participant"], "calibrated": 1 - row["losses"][at],
         "constant": 1 - row["constant_losses"][width], "nominal": row["nominal"]}
        for row in where(rows, split=splits[-1])
    ]  # fmt: skip
    headings = {"calibrated": "calibrated", "constant": "one width", "nominal": "uncalibrated"}
    return bars(shares, "region", headings, "share of voxels inside", found.level)


def ungraded(rows: Sequence[Row]) -> Any:
    """Coverage of the interval by what is told of the grades."""
    headings = {"covered": "all voxels", "covered_cartilage": "cartilage and meniscus"}
    return bars(rows, "condition", headings, "share of voxels inside", LEVEL)


def psnr_bars(by: str) -> Callable[[Sequence[Row]], Any]:
    """PSNR by condition."""
    return lambda rows: bars(rows, by, {"psnr": "PSNR"}, "PSNR in dB")


def responses(rows: Sequence[Row]) -> Any:
    """What each group of features changes, as a share of the truth."""
    headings = {"response_absent": "from absent", "response_unknown": "from unknown"}
    return bars(rows, "group", headings, "share of the true change", 1.0)


def _finite(rows: Sequence[Row], name: str) -> list[float]:
    return [value for value in column(rows, name) if np.isfinite(value)]


FIGURES: Final[Mapping[str, Sequence[Figure]]] = {
    "comparison": (
        Figure("comparison", "Methods compared (after Wang 2024a, Fig. 5)", boxes),
        Figure("depth_power", "Power along depth", spectra),
    ),
    "hidden": (
        Figure("hidden", "Lesions shown, by what the method is told", expression),
        Figure("hidden_contrast", "Contrast of lesions", contrasts),
    ),
    "features": (Figure("features", "What each group of features changes", responses),),
    "joint_space": (Figure("joint_space", "Joint space, found over true", widths),),
    "depth": (Figure("depth", "Slices over the same range (after Wang 2024a, Fig. 6)", depth_curve),),
    "sampler": (Figure("sampler", "Sampling", psnr_bars("condition")),),
    "films": (Figure("films", "Films that are not as they should be", psnr_bars("condition")),),
    "shifted": (Figure("shifted", "Knees outside the range of training", boxes),),
    "calibration": (Figure("calibration", "Coverage at 90 %", coverage),),
    "ungraded": (Figure("ungraded", "Coverage where nobody graded the knee", ungraded),),
}
"""Study to its figures."""
