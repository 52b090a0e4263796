"""Steps, variants of the refinement and eta (Wan 2025, Algorithm 1): quality, fine detail where blur is put in, edges.

Where the middle block looks, the paper puts blurred content in (Eq. 8); self-attention guidance steers away from it.
The power of high frequencies inside that mask, and the gradient on the outlines of true bones, say what either does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import torch

from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study
from monai_xray2mri.systems.foot_xray_sccdm.difference import half_difference
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.cases import TEST, FootCase
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.measures import bone_edges, high_frequencies
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.setting import OWN_STEPS, FootSetting, condition_table
from monai_xray2mri.systems.foot_xray_sccdm.network import DifferenceDiffusion
from monai_xray2mri.systems.foot_xray_sccdm.refinement import VARIANTS, Refinement

STEPS: Final = (1, 10, 25, 50, 100)
ALL_STEPS: Final = 1000
_COMPARED: Final = 50
"""Steps at which variants are compared by the claims."""
_LOOKED_AT: Final = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Shares of the schedule at which the mask of the middle block is looked at."""
_CALLS: Final = {"paper": 1, "guidance": 2, "none": 1}
_MANY: Final = 0.2
"""Share of the feet of which a thousand steps are drawn: one in five, by name."""


def measure(setting: FootSetting, case: FootCase) -> Iterator[Row]:
    """A row for the truth and for each sampler."""
    inside, bones = attended(setting.bundle.diffusion, case, setting.seed), _bones(case)
    yield {"condition": "true radiograph", **_detail(case.radiograph, inside, bones)}
    ruler = setting.ruler(case)
    for name, options in samplers(case).items():
        (radiograph,) = setting.drawn(case, **options)
        yield {
            "condition": name,
            **ruler.intensities(radiograph),
            **ruler.reading(radiograph),
            **_detail(radiograph, inside, bones),
        }


def samplers(case: FootCase) -> dict[str, dict[str, Any]]:
    """Name to options, eta 1 where the name tells no other; 1,000 steps for one foot in five."""
    steps = [*STEPS, *[ALL_STEPS] * chosen_for_many(case.name)]
    found: dict[str, dict[str, Any]] = {}
    for variant in VARIANTS:
        for count in steps:
            found[f"{variant}, {count} steps"] = {"refinement": Refinement(variant), "steps": count, "eta": 1.0}
    for count in (OWN_STEPS, _COMPARED):
        found[f"none, {count} steps, eta 0"] = {"refinement": Refinement("none"), "steps": count, "eta": 0.0}
    found[f"paper, {_COMPARED} steps, unscaled (released code)"] = {
        "refinement": Refinement("paper", threshold=1.0, scaled=False), "steps": _COMPARED, "eta": 1.0,
    }  # fmt: skip
    found[f"guidance, {_COMPARED} steps, unscaled (released code)"] = {
        "refinement": Refinement("guidance", threshold=1.0, scaled=False), "steps": _COMPARED, "eta": 1.0,
    }  # fmt: skip
    return found


def chosen_for_many(name: str) -> bool:
    """Whether a thousand steps are drawn of a foot."""
    return int(name) % round(1 / _MANY) == 0 if name.isdecimal() else False


def _detail(picture: np.ndarray, inside: np.ndarray, bones: np.ndarray | None) -> Row:
    row: Row = {
        "fine_inside": 1e4 * high_frequencies(picture, inside),
        "fine_outside": 1e4 * high_frequencies(picture, ~inside),
        "share_inside": float(inside.mean()),
    }
    return row | ({"edges": bone_edges(picture, bones)} if bones is not None else {})


def _bones(case: FootCase) -> np.ndarray | None:
    return case.truth.bones if case.truth else None


@torch.inference_mode()
def attended(network: DifferenceDiffusion, case: FootCase, seed: int) -> np.ndarray:
    """[S,S] bool: pixels that the mask of Eq. 8 holds at most of five noise levels of the true radiograph.

    All False where the network has no attention.
    """
    device = network.latent_scale.device
    photograph, radiograph = (
        (2 * torch.from_numpy(np.ascontiguousarray(picture, np.float32)) - 1)[None, None].to(device)
        for picture in (case.photograph, case.radiograph)
    )
    target = half_difference(radiograph, photograph) if network.difference else radiograph
    d_0, condition = network.encode(target), network.condition(photograph)
    size, votes = torch.Size(case.photograph.shape), []
    for share in _LOOKED_AT:
        eps = torch.randn(d_0.shape, generator=case_generator("attended", seed, case.name, share)).to(device)
        at = torch.full((1,), round(share * network.schedule.steps), device=device)
        attention = network.given(network.schedule.add_noise(d_0, at, eps), at, condition).attention
        if attention is None:
            return np.zeros(case.photograph.shape, bool)
        votes.append(Refinement().gate(attention, size)[0, 0].cpu())
    return np.asarray(torch.stack(votes).mean(dim=0) > 0.5)


def work(setting: FootSetting) -> float:
    """Radiographs that one foot costs."""
    calls = sum(_CALLS[variant] * (sum(STEPS) + _MANY * ALL_STEPS) for variant in VARIANTS)
    return (calls + 4 * _COMPARED + OWN_STEPS) / OWN_STEPS


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """One table."""
    head = {
        "psnr": "PSNR dB",
        "ssim": "SSIM",
        "perceptual": "perceptual distance",
        "kcc": "KCC",
        "hva_error": "HVA error, degrees",
        "fine_inside": "fine detail inside the mask, 1e-4",
        "fine_outside": "outside, 1e-4",
        "edges": "gradient on bone edges",
    }
    note = (
        "Fine detail: mean power of what a blur of one pixel takes away. Inside: where the middle block looks at most "
        "noise levels (Eq. 8). 1 step is about the posterior mean. Guidance calls the network twice a step."
    )
    return [condition_table(rows, "sampler", "Steps and variants", head, note)]


SAMPLER: Final = Study("sampler", "Steps and variants", (TEST,), {"cpu": 10, "full": 100}, measure, work, tables)
