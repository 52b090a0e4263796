"""What an image encoder's tokens say: numbers and a grade, read by heads that are trained with the denoiser.

Trained on the noise alone, an encoder need not tell what decides few pixels. A loss on numbers that are known of the
image makes it, and the numbers can guide the denoiser by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TokenReader(nn.Module):
    """Reads V numbers and one of K grades in tokens [B,N,width]: [B,V+K], numbers in standard deviations, then logits.

    Numbers and grade have layers of their own, so that the numbers cannot be guessed from the grade there.

    Args:
        tokens: N and width, as an image encoder has them.
        mean: of each number.
        deviation: standard deviation of each number.
        grades: K.
        hidden: width of the layers.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        tokens: Sequence[int],
        mean: Sequence[float],
        deviation: Sequence[float],
        grades: int = 5,
        hidden: int = 64,
    ) -> None:
        super().__init__()
        number, width = tokens
        self.numbers = len(mean)
        self.register_buffer("mean", torch.tensor(list(mean)), persistent=False)
        self.register_buffer("deviation", torch.tensor(list(deviation)), persistent=False)
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width, 8), nn.Flatten(), nn.SiLU(), nn.Linear(8 * number, hidden), nn.SiLU(),
                nn.Linear(hidden, count),
            )
            for count in (self.numbers, grades)
        )  # fmt: skip

    def forward(self, tokens: Tensor) -> Tensor:
        """The reading [B,V+K]."""
        return torch.cat([head(tokens) for head in self.heads], dim=1)

    def standardized(self, numbers: Tensor) -> Tensor:
        """Numbers [B,V] in standard deviations."""
        return (numbers - self.mean) / self.deviation

    def loss(self, reading: Tensor, truth: Tensor) -> Tensor:
        """Smooth absolute error of the numbers plus cross-entropy of the grade.

        Args:
            reading: [B,V+K].
            truth: [B,V+1], numbers and grade; NaN where nobody knows.
        """
        reading = reading.float()
        numbers, grade = self.standardized(truth[:, :-1]), truth[:, -1]
        known, graded = ~numbers.isnan(), ~grade.isnan()
        error = F.smooth_l1_loss(reading[:, : self.numbers], numbers.nan_to_num(), reduction="none")
        wrong = F.cross_entropy(reading[:, self.numbers :], grade.nan_to_num().long(), reduction="none")
        return (error * known).sum() / known.sum().clamp(min=1) + (wrong * graded).sum() / graded.sum().clamp(min=1)
