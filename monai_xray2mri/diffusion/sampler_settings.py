"""What a volume is sampled with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

SHORTEST_MM: Final = 0.25
"""Shortest ``noise_length_mm``: noise of neighboring slices is then independent."""


@dataclass(frozen=True)
class SamplerSettings:
    """Settings of a sampler; a network has its own, which a request alters.

    Attributes:
        steps: evaluations of the denoiser.
        guidance: guidance scale (:func:`~monai_xray2mri.diffusion.guidance.classifier_free_guidance`); 1 is none.
        feature_guidance: guidance scale of the features alone.
        eta: DDIM eta, 0 deterministic (Wang 2024a, Eq. 9) to 1 ancestral.
        noise_shared: share of the noise that all slices of a volume have in common; 1 is Wang 2024a, Algorithm 2. See
            :mod:`~monai_xray2mri.diffusion.depth_noise`.
        noise_length_mm: how far along depth the finest of the other noise is alike.
        noise_aspect: growth of that length per wavelength in the plane.
    """

    steps: int
    guidance: float
    feature_guidance: float
    eta: float
    noise_shared: float
    noise_length_mm: float
    noise_aspect: float

    def altered(self, **settings: Any) -> SamplerSettings:
        """With other settings; None leaves one as it is, and ``guidance`` holds for the features unless they have one.

        Raises:
            TypeError: no such setting.
        """
        asked = {name: value for name, value in settings.items() if value is not None}
        if "guidance" in asked:
            asked.setdefault("feature_guidance", asked["guidance"])
        return replace(self, **asked)
