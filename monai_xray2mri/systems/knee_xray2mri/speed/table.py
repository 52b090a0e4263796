"""The ladder's table in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

HEAD: Final = (
    f"{'rung':<12} {'':<38} {'threads':>7} {'seconds':>16} {'CPU s':>7} {'GFLOP':>7} {'GB':>6} {'limit':>6} "
    f"{'MB':>6} {'R0: dB':>7} {'SSIM':>6} {'truth: dB':>9} {'SSIM':>6} within its tolerance"
)


def line(row: Mapping[str, Any]) -> str:
    """A row of :func:`~monai_xray2mri.systems.knee_xray2mri.speed.ladder.row`, and after how many volumes it pays."""
    picture, (low, high) = row["picture"], row["spread"]
    within = {True: "yes", False: "NO", None: "not known"}[picture["within"]]
    truth = "" if picture["psnr_truth"] is None else f"{picture['psnr_truth']:.2f}"
    ssim = "" if picture["ssim_truth"] is None else f"{picture['ssim_truth']:.4f}"
    return (
        f"{row['rung']:<12} {row['title']:<38} {row['threads']:>7} {f'{low:.2f} - {high:.2f}':>16} "
        f"{row['cpu_seconds']:>7.2f} {row['gflop']:>7.0f} {row['gigabytes']:>6.1f} {row['share_of_limit']:>6.0%} "
        f"{row['device_memory_mb'] or row['memory_mb']:>6.0f} {picture['psnr_r0']:>7.1f} {picture['ssim_r0']:>6.4f} "
        f"{truth:>9} {ssim:>6} {within}: {row['tolerance']['words']}{_pays(row.get('pays'))}"
    )


def _pays(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    volumes = found["after_volumes"]
    return f"; never pays beside {found['than']}" if volumes is None else f"; pays after {volumes} volumes"


def layer_line(layer: Mapping[str, Any]) -> str:
    """A convolution that was timed alone."""
    return (
        f"  {layer['image']!s:<22} {layer['weight']!s:<18} {layer['calls']:>4} calls {layer['seconds']:>6.3f} s "
        f"{layer['gflop_a_second']:>5.0f} GFLOP/s {layer['share_of_limit']:>5.0%}"
    )


def start_line(rows: Sequence[Mapping[str, Any]]) -> str:
    """What processes spent before their first volume."""
    spent = [row["start_cpu_seconds"] for row in rows]
    return f"\nstart, in no row above: {min(spent):.2f} to {max(spent):.2f} CPU s until the network has its weights"
