"""How films of one knee differ by department: contrast, sharpness and noise, drawn anew for every look at a film.

The simulator draws one exposure of a knee. Tone curves and noise of real films vary more than that, and a network that
saw one of each knee may learn the knee by its noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

_REACH = 3
"""Pixels that a blur reaches to each side."""


@dataclass(frozen=True)
class FilmStyle:
    """Standard deviations of what is drawn; 0 leaves the film as it is.

    Attributes:
        gamma: of the logarithm of the tone curve's exponent.
        blur_px: of a Gaussian blur's standard deviation, in pixels of the stored region.
        noise: of the standard deviation of white noise, for grey values in [0,1].
    """

    gamma: float = 0.15
    blur_px: float = 0.5
    noise: float = 0.01

    def draw(self, region: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """A film in a style.

        Args:
            region: [R,R] grey values in [0,1], bone bright.
            generator: of this look.

        Returns:
            [R,R] float32 in [0,1].
        """
        exponent, blur, noise = generator.standard_normal(3)
        styled = region.astype(np.float32) ** np.float32(np.exp(self.gamma * exponent))
        styled = _blurred(styled, abs(self.blur_px * blur))
        styled = styled + abs(self.noise * noise) * generator.standard_normal(styled.shape, np.float32)
        return np.clip(styled, 0, 1).astype(np.float32)


NO_STYLE = FilmStyle(0.0, 0.0, 0.0)
"""The film as the simulator exposed it."""


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    if sigma < 0.1:  # less than a hundredth of the neighbour's weight
        return image
    places = torch.arange(-_REACH, _REACH + 1, dtype=torch.float32)
    kernel = torch.softmax(-places.square() / (2 * sigma**2), dim=0)
    padded = F.pad(torch.from_numpy(image)[None, None], [_REACH] * 4, mode="replicate")
    along = F.conv2d(padded, kernel.view(1, 1, -1, 1))
    blurred: np.ndarray = F.conv2d(along, kernel.view(1, 1, 1, -1))[0, 0].numpy()
    return blurred
