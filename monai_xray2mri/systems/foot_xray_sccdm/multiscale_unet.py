"""The denoiser of SCCDM (Wan 2025, section 2.1 and Fig. 2): a U-Net with several kernels a block.

The paper gives 64 channels times 1, 2, 3, 4, two residual blocks a level, one attention head "at a resolution of 64",
dropout 0.3 and 37,539,809 parameters. This reading meets that count: attention on the third of four levels (64 x 64 for
images of 256 x 256) and in the middle; in each residual block three branches with kernels of 3, 5 and 7, a quarter of
the channels each, joined with what they branch from by one convolution of 1 x 1; one channel out, so that the variance
is not learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

KERNELS: Final = (3, 5, 7)


@dataclass(frozen=True)
class Denoised:
    """What the network gives for one step.

    Attributes:
        prediction: what the schedule asks for [B,C,H,W]; in the paper the noise in d_t.
        features: activations of each level of the up path, coarse to fine, [B,C_l,H_l,W_l].
        attention: the middle block's attention, summed over the queries, [B,1,h,w]; its mean is 1. None without
            attention.
    """

    prediction: Tensor
    features: tuple[Tensor, ...]
    attention: Tensor | None


class Branches(nn.Module):
    """Several kernel sizes side by side, joined with their input by a convolution of 1 x 1 (paper: multi-scale module).

    Args:
        channels: in and out; a multiple of 4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        part = channels // 4
        self.branches = nn.ModuleList(nn.Conv2d(channels, part, kernel, padding=kernel // 2) for kernel in KERNELS)
        self.fusion = nn.Conv2d(channels + len(KERNELS) * part, channels, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """[B,C,H,W] to the same shape."""
        joined: Tensor = self.fusion(torch.cat([hidden, *(branch(hidden) for branch in self.branches)], dim=1))
        return joined


class SelfAttention(nn.Module):
    """One head over all positions.

    Args:
        channels: in and out.
        groups: of the normalization.
    """

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.query, self.key, self.value, self.out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """[B,C,H,W] to the same shape, and how much each position is looked at, [B,1,H,W], mean 1."""
        normal = self.norm(hidden)
        query, key, value = (layer(normal).flatten(2).transpose(1, 2) for layer in (self.query, self.key, self.value))
        weights = (query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])).softmax(dim=-1)  # [B,N,N]
        found = (weights @ value).transpose(1, 2).unflatten(2, hidden.shape[2:])
        looked_at = weights.sum(dim=1).unflatten(1, hidden.shape[2:])[:, None]
        return hidden + self.out(found), looked_at


class MultiScaleBlock(nn.Module):
    """A residual block that knows the time, with branches and attention where they are asked for.

    Args:
        inputs: channels in.
        outputs: channels out.
        time: width of the time's embedding.
        groups: of the normalizations.
        dropout: before the second convolution.
        branches: whether it has :class:`Branches`.
        attention: whether it ends with :class:`SelfAttention`.
    """

    def __init__(
        self, inputs: int, outputs: int, time: int, groups: int, dropout: float, branches: bool, attention: bool
    ) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(groups, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.time = nn.Sequential(nn.SiLU(), nn.Linear(time, outputs))
        self.second = nn.Sequential(
            nn.GroupNorm(groups, outputs), nn.SiLU(), nn.Dropout(dropout), nn.Conv2d(outputs, outputs, 3, padding=1)
        )
        self.branches = Branches(outputs) if branches else None
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.attention = SelfAttention(outputs, groups) if attention else None

    def forward(self, hidden: Tensor, time: Tensor) -> tuple[Tensor, Tensor | None]:
        """[B,C,H,W] and the time's embedding [B,D] to [B,C',H,W], and the attention if there is one."""
        found = self.first(hidden) + self.time(time)[:, :, None, None]
        found = self.second(found)
        if self.branches is not None:
            found = self.branches(found)
        found = found + self.shortcut(hidden)
        return self.attention(found) if self.attention is not None else (found, None)


class MultiScaleUNet(nn.Module):
    """Predicts the noise in d_t, or what else a schedule asks for, given a condition image of the same size.

    Args:
        image_channels: of d_t and of the prediction.
        condition_channels: of the condition image.
        width: what the multipliers multiply; of the time's embedding before its two layers, too.
        multipliers: of the channels of each level, fine to coarse.
        blocks: residual blocks a level of the down path; the up path has one more.
        attention_levels: levels with attention, 0 is the finest; the middle has it where any level has.
        groups: of the normalizations.
        dropout: in each residual block.
        branches: whether blocks have branches of several kernel sizes (paper: multi-scale module).
        direct: whether each channel of d_t and of the condition is added to the same channel of the prediction, times a
            gain that follows from the time; not in the paper. A network that is narrower than its latents have
            channels cannot carry fine detail of both from its input to its output.

    Raises:
        ValueError: a width that the groups or the branches do not divide; ``direct`` with other channels of both.
    """

    def __init__(
        self,
        image_channels: int = 1,
        condition_channels: int = 1,
        width: int = 64,
        multipliers: Sequence[int] = (1, 2, 3, 4),
        blocks: int = 2,
        attention_levels: Sequence[int] = (2,),
        groups: int = 32,
        dropout: float = 0.3,
        branches: bool = True,
        direct: bool = False,
    ) -> None:
        super().__init__()
        if direct and condition_channels not in (0, image_channels):  # 0: a subclass takes the condition in by itself
            raise ValueError(f"direct needs as many channels of both, got {image_channels}, {condition_channels}")
        if width % groups or width % 4:
            raise ValueError(f"width must be a multiple of 4 and of the {groups} groups, got {width}")
        self.width, time = width, 4 * width
        self.embed = nn.Sequential(nn.Linear(width, time), nn.SiLU(), nn.Linear(time, time))
        now = width * multipliers[0]
        self.head = nn.Conv2d(image_channels + condition_channels, now, 3, padding=1)

        def block(inputs: int, outputs: int, level: int | None) -> MultiScaleBlock:
            looks = bool(attention_levels) if level is None else level in attention_levels
            return MultiScaleBlock(inputs, outputs, time, groups, dropout, branches, looks)

        kept = [now]
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        for level, factor in enumerate(multipliers):
            stage = nn.ModuleList()
            for _ in range(blocks):
                stage.append(block(now, width * factor, level))
                now = width * factor
                kept.append(now)
            self.down.append(stage)
            if level < len(multipliers) - 1:
                self.shrink.append(nn.Conv2d(now, now, 3, stride=2, padding=1))
                kept.append(now)
        plain = MultiScaleBlock(now, now, time, groups, dropout, branches, attention=False)
        self.middle = nn.ModuleList((block(now, now, None), plain))
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for level, factor in reversed(list(enumerate(multipliers))):
            stage = nn.ModuleList()
            for _ in range(blocks + 1):
                stage.append(block(now + kept.pop(), width * factor, level))
                now = width * factor
            self.up.append(stage)
            if level > 0:
                self.grow.append(nn.Conv2d(now, now, 3, padding=1))
        last = nn.Conv2d(now, image_channels, 3, padding=1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.tail = nn.Sequential(nn.GroupNorm(groups, now), nn.SiLU(), last)
        self.gains = nn.Linear(time, 2 * image_channels) if direct else None
        if self.gains is not None:
            for parameter in self.gains.parameters():
                nn.init.zeros_(parameter)

    def enter(self, d_t: Tensor, condition: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """What the first level begins with, [B,C,H,W], and what all levels of the down path see; here nothing."""
        return self.head(torch.cat((d_t, condition), dim=1)), ()

    def meet(self, hidden: Tensor, level: int, views: Sequence[Tensor]) -> Tensor:
        """What a level of the down path makes of its view before its blocks, [B,C,h,w] to the same; here nothing."""
        return hidden

    def forward(self, d_t: Tensor, condition: Tensor, t: Tensor) -> Denoised:
        """Predict the noise, or what else the schedule asks for.

        Args:
            d_t: [B,C,H,W]; H and W are multiples of 2 to the number of levels less one.
            condition: [B,K,H,W].
            t: time steps [B] from 0 on.
        """
        time = self.embed(_sinusoids(t, self.width))
        hidden, views = self.enter(d_t, condition)
        kept = [hidden]
        for level, stage in enumerate(self.down):
            hidden = self.meet(hidden, level, views)
            for block in stage:  # type: ignore[attr-defined]
                hidden, _ = block(hidden, time)
                kept.append(hidden)
            if level < len(self.shrink):
                hidden = self.shrink[level](hidden)
                kept.append(hidden)
        hidden, attention = self.middle[0](hidden, time)
        hidden, _ = self.middle[1](hidden, time)
        features = []
        for level, stage in enumerate(self.up):
            for block in stage:  # type: ignore[attr-defined]
                hidden, _ = block(torch.cat((hidden, kept.pop()), dim=1), time)
            features.append(hidden)
            if level < len(self.grow):
                hidden = self.grow[level](F.interpolate(hidden, scale_factor=2.0, mode="nearest"))
        prediction = self.tail(hidden)
        if self.gains is not None:
            for_image, for_condition = self.gains(F.silu(time))[:, :, None, None].chunk(2, dim=1)
            prediction = prediction + for_image * d_t + for_condition * condition
        return Denoised(prediction, tuple(features), attention)


def _sinusoids(t: Tensor, width: int) -> Tensor:
    """Sinusoidal embedding [B,width] of time steps [B] (Ho et al. 2020): sine and cosine by turns."""
    rates = torch.exp(-math.log(10000.0) * torch.arange(0, width, 2, device=t.device, dtype=torch.float32) / width)
    phase = t.float()[:, None] * rates[None]
    return torch.stack((phase.sin(), phase.cos()), dim=-1).flatten(1)
