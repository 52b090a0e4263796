"""What the denoiser learns of the radiograph apart from its image: KOA probability and intensity (Wang 2024b)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_xray2mri.knee.detection.koa import shipped_classifier
from monai_xray2mri.knee.detection.networks.koa_classifier import GRADES, KOAClassifier, classifier_view
from monai_xray2mri.networks.intensity import INTENSITY_BINS, intensity_distribution


class DescribeKOA(nn.Module):
    """What Wang 2024b reads from the radiograph itself: p from the classifier, i from the grey values; never trained.

    Args:
        classifier: C; None takes the shipped one.
        region_mm: side of the radiograph region at the detector in mm.
        feature_width: zeros put before p and i, in the place of the features of Wang 2024a, which a joint guide takes
            as well (61).
    """

    def __init__(
        self, classifier: KOAClassifier | None = None, region_mm: float = 110.0, feature_width: int = 0
    ) -> None:
        super().__init__()
        own = KOAClassifier()
        own.load_state_dict((classifier or shipped_classifier()).state_dict())
        self.classifier = own.eval().requires_grad_(False)
        self.region_mm, self.feature_width = region_mm, feature_width
        self.width = feature_width + GRADES + INTENSITY_BINS

    def train(self, mode: bool = True) -> DescribeKOA:
        """Stays in evaluation mode: C is frozen while the denoiser learns (Algorithm 1)."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, radiograph: Tensor) -> Tensor:
        """Zeros, p and i of radiographs [B,1,H,W] in [-1,1], side by side: [B,feature_width + 5 + 64]."""
        # Without autocast: the description is the same whatever precision the denoiser computes in.
        with torch.autocast(radiograph.device.type, enabled=False):
            exact = radiograph.float()
            p = self.classifier.probability(classifier_view(exact, self.region_mm))
        nothing = exact.new_zeros(len(exact), self.feature_width)
        return torch.cat([nothing, p, intensity_distribution(exact)], dim=1).to(radiograph.dtype)
