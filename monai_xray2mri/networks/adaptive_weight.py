"""Adaptive weight of KOA probability and intensity distribution, the guide of the up path in Wang 2024b (Eq. 9-14)."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from monai_xray2mri.networks.condition import DepthCode, FeatureEmbedding

KAPPA: Final = 1e-5
"""kappa of Eq. 9 and 10, inside the root."""
EPSILON: Final = 1e-8
"""epsilon of Eq. 11."""


class AdaptiveWeight(nn.Module):
    """The module w(p, i) of Wang 2024b: two maps weighted by their norms and joined by attention (Eq. 9-14).

    The equations speak of "feature maps" p and i, yet p is a vector of 5 probabilities and i a histogram of 64 bins:
    a sum p + i (Eq. 14) does not exist for them, and of two vectors the attention of Eq. 13 is one number whose softmax
    is 1 whatever they hold. Here each is first drawn by a linear map *without bias* onto a map [B,C,N] of N tokens
    with C channels, its "feature map". N takes the place of height x width, so that Eq. 9-12 have one gain per channel
    (mu, nu, o are [C]), and Eq. 13 relates N tokens of p to N tokens of i: [B,N,N], softmax over the tokens of i.
    Without bias a vector of zeros, *unknown*, stays zero through Eq. 14.

    At the start mu = 1, nu = 0, o = 0: both maps are multiplied by exactly 1 + sigmoid(0) = 1.5.

    Args:
        probability: width of p.
        intensity: width of i.
        channels: C.
        tokens: N.
    """

    def __init__(self, probability: int = 5, intensity: int = 64, channels: int = 24, tokens: int = 8) -> None:
        super().__init__()
        self.widths, self.channels, self.tokens = (probability, intensity), channels, tokens
        self.map_p = nn.Linear(probability, channels * tokens, bias=False)
        self.map_i = nn.Linear(intensity, channels * tokens, bias=False)
        # Learnt as logarithms: gains stay positive, so that the sum of Eq. 11 cannot vanish.
        self.log_mu = nn.Parameter(torch.zeros(2, channels))
        self.nu = nn.Parameter(torch.zeros(2, channels))
        self.offset = nn.Parameter(torch.zeros(2, channels))
        self.query = nn.Linear(channels, channels, bias=False)  # W_p
        self.key = nn.Linear(channels, channels, bias=False)  # W_i

    def maps(self, p: Tensor, i: Tensor) -> Tensor:
        """Feature maps of p [B,5] and i [B,64]: [2,B,C,N]."""
        shape = (len(p), self.channels, self.tokens)
        return torch.stack([self.map_p(p).view(shape), self.map_i(i).view(shape)])

    def gains(self, maps: Tensor) -> Tensor:
        """Normalized gains of maps [2,B,C,N]: [2,B,C] in 0 to 1, together 1 (Eq. 9, 10 and 11)."""
        norm = (maps.square().sum(dim=3) + KAPPA).sqrt()  # [2,B,C]
        gain = self.log_mu.exp()[:, None] * norm
        return gain / (gain.sum(dim=0) + EPSILON)

    def modulate(self, maps: Tensor) -> Tensor:
        """Maps [2,B,C,N] times 1 + sigmoid(nu G + o) (Eq. 12)."""
        factor = 1 + torch.sigmoid(self.nu[:, None] * self.gains(maps) + self.offset[:, None])  # [2,B,C]
        return maps * factor[..., None]

    def attention(self, maps: Tensor) -> Tensor:
        """Joint condition weight lambda of maps [2,B,C,N]: [B,N,N], rows sum to 1 (Eq. 13; p_k = C)."""
        tokens = maps.transpose(2, 3)  # [2,B,N,C]
        score = self.query(tokens[0]) @ self.key(tokens[1]).transpose(1, 2)  # [B,N,N]
        return (score / self.channels**0.5).softmax(dim=2)

    def forward(self, p: Tensor, i: Tensor) -> Tensor:
        """Combined condition y [B,N,C] of p [B,5] and i [B,64] (Eq. 14)."""
        maps = self.maps(p, i)
        joined = self.modulate(maps).sum(dim=0).transpose(1, 2)  # [B,N,C]
        return self.attention(maps) @ joined


class AdaptiveWeightEmbedding(nn.Module):
    """Guide of the up path in Wang 2024b: p and i side by side [B,69] and depth [B] to [B,E].

    The paper motivates the adaptive weight by slices that differ in their sensitivity to p and i, but its equations do
    not contain the depth. It enters here with the combined condition into the multi-layer perceptron, as it does with
    the features of Wang 2024a.

    Args:
        embedding: width E of the denoiser's time embedding.
        probability: width of p.
        intensity: width of i.
        channels: C of :class:`AdaptiveWeight`.
        tokens: N of :class:`AdaptiveWeight`.
        frequencies: of the depth code.
    """

    def __init__(
        self,
        embedding: int,
        probability: int = 5,
        intensity: int = 64,
        channels: int = 24,
        tokens: int = 8,
        frequencies: int = 8,
    ) -> None:
        super().__init__()
        self.widths = (probability, intensity)
        self.width = probability + intensity
        self.weight = AdaptiveWeight(probability, intensity, channels, tokens)
        self.code = DepthCode(frequencies)
        self.mlp = nn.Sequential(
            nn.Linear(channels * tokens + self.code.width, embedding),
            nn.SiLU(),
            nn.Linear(embedding, embedding),
            nn.SiLU(),
            nn.Linear(embedding, embedding),
        )

    def forward(self, guide: Tensor, depth: Tensor) -> Tensor:
        """Embed p and i at d; zeros mean *unknown*."""
        p, i = guide.split(self.widths, dim=1)
        return self.mlp(torch.cat([self.weight(p, i).flatten(1), self.code(depth)], dim=1))


class JointGuide(nn.Module):
    """Both guides: features r (Wang 2024a) and with them p and i (Wang 2024b), [B,61 + 69] and depth [B] to [B,E].

    For the comparison of what guides better; the embeddings of both are added, so that either may be unknown (zeros).

    Args:
        embedding: width E of the denoiser's time embedding.
        features: width of r.
    """

    def __init__(self, embedding: int, features: int = 61) -> None:
        super().__init__()
        self.radiographic = FeatureEmbedding(features, embedding)
        self.adaptive = AdaptiveWeightEmbedding(embedding)
        self.width = features + self.adaptive.width

    def forward(self, guide: Tensor, depth: Tensor) -> Tensor:
        """Embed r, p and i at d."""
        r, described = guide.split((self.radiographic.width, self.adaptive.width), dim=1)
        embedded: Tensor = self.radiographic(r, depth) + self.adaptive(described, depth)
        return embedded
