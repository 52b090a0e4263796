"""Names under which the networks of ``recipe_variants`` are entered, so that claims find them.

Each is a configuration of the same core, trained on the same pairs for the same number of updates; so is ``EQUAL``,
SCCDM itself, which they are compared with. What is left of the published methods: docs/evaluation/sccdm.md.
"""

from __future__ import annotations

from typing import Final

EQUAL: Final = "SCCDM, equal updates"
CDDPM, SAG, MSF, MASKED = "C-DDPM", "SAG-DDPM", "MSF-DDPM", "DDPM-MAR and M2DN"
PIX2PIX, CYCLEGAN = "pix2pix", "CycleGAN"
PUBLISHED: Final = (CYCLEGAN, PIX2PIX, CDDPM, MASKED, MSF, SAG)
"""Table 1."""
NO_DIFFERENCE, NO_SCALES = "without difference domain", "without multi-scale"
WIDER, NO_ATTENTION = "without multi-scale, wider", "without self-attention"
"""Table 2, and a network without the multi-scale module that has as many parameters as SCCDM."""
REGRESSION: Final = "regression"
"""The same U-Net without diffusion, trained for the mean squared error."""

RUNS: Final = {
    EQUAL: ("equal", ""),
    CDDPM: ("cddpm", "train_baseline_cddpm"),
    SAG: ("cddpm", "train_baseline_cddpm,train_baseline_sag"),
    MSF: ("msf", "train_baseline_cddpm,train_baseline_msf"),
    MASKED: ("masked", "train_baseline_cddpm,train_baseline_masked"),
    PIX2PIX: ("pix2pix", "train_baseline_pix2pix"),
    CYCLEGAN: ("cyclegan", "train_baseline_cyclegan"),
    REGRESSION: ("regression", "train_baseline_regression"),
    NO_DIFFERENCE: ("no_difference", "train_without_difference"),
    NO_SCALES: ("no_scales", "train_without_scales"),
    WIDER: ("wider", "train_without_scales_wider"),
    NO_ATTENTION: ("no_attention", "train_without_attention"),
    "115 pairs": ("pairs_115", ""),
    "500 pairs": ("pairs_500", ""),
}
"""Name to the folder of its run, below the recipe's output, and to the configurations of its network."""
