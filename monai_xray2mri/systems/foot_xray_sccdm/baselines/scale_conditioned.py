"""MSF-DDPM: the condition enters at several scales instead of beside d_t (FontDiffuser; Yang et al., AAAI 2024).

FontDiffuser draws characters: a content encoder gives features at several scales, which meet the down path by channel
attention and cross-attention (its "multi-scale content aggregation"). That is what is left here. Its style encoder, its
reference-structure interaction and its contrastive loss are about fonts and have no counterpart with one photograph.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from monai_xray2mri.systems.foot_xray_sccdm.multiscale_unet import MultiScaleUNet

_SQUEEZE = 4


class Meeting(nn.Module):
    """Joins the condition's view with a level: channel attention (Hu et al. 2018), then cross-attention where asked.

    Args:
        channels: of the level.
        view: channels of the condition's view.
        groups: of the normalization.
        tokens: whether each position of the level looks at all positions of the view.
    """

    def __init__(self, channels: int, view: int, groups: int, tokens: bool) -> None:
        super().__init__()
        both = channels + view
        self.squeeze = nn.Sequential(
            nn.Linear(both, both // _SQUEEZE), nn.SiLU(), nn.Linear(both // _SQUEEZE, both), nn.Sigmoid()
        )
        self.join = nn.Conv2d(both, channels, 1)
        self.norm = nn.GroupNorm(groups, channels)
        self.look = nn.ModuleDict(
            {"query": nn.Conv2d(channels, channels, 1), "key": nn.Conv2d(view, channels, 1),
             "value": nn.Conv2d(view, channels, 1), "out": nn.Conv2d(channels, channels, 1)} if tokens else {}
        )  # fmt: skip

    def forward(self, hidden: Tensor, view: Tensor) -> Tensor:
        """[B,C,h,w] and the view [B,V,h,w] to [B,C,h,w]."""
        both = torch.cat((hidden, view), dim=1)
        weighted = both * self.squeeze(both.mean(dim=(2, 3)))[:, :, None, None]
        hidden = hidden + self.join(weighted)
        if not self.look:
            return hidden
        query = self.look["query"](self.norm(hidden)).flatten(2).transpose(1, 2)  # [B,N,C]
        key, value = (self.look[name](view).flatten(2).transpose(1, 2) for name in ("key", "value"))
        weights = (query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])).softmax(dim=-1)
        found = self.look["out"]((weights @ value).transpose(1, 2).unflatten(2, hidden.shape[2:]))
        joined: Tensor = hidden + found
        return joined


class ScaleConditionedUNet(MultiScaleUNet):
    """A U-Net whose down path meets the condition at each of its levels.

    Args:
        image_channels: of d_t and of the prediction.
        condition_channels: of the condition image.
        width, multipliers, groups: as of the base class; the condition's features are half as wide as the levels.
        attention_levels: levels with self-attention, at which the condition's positions are tokens, too.
        **others: of the base class.
    """

    def __init__(
        self,
        image_channels: int = 1,
        condition_channels: int = 1,
        width: int = 64,
        multipliers: Sequence[int] = (1, 2, 3, 4),
        attention_levels: Sequence[int] = (2,),
        groups: int = 32,
        **others: Any,
    ) -> None:
        super().__init__(
            image_channels, 0, width, multipliers, attention_levels=attention_levels, groups=groups, **others
        )
        views = [max(width * factor // 2, 1) for factor in multipliers]
        self.pyramid, self.meetings = nn.ModuleList(), nn.ModuleList()
        before = condition_channels
        for level, view in enumerate(views):
            stride = 1 if level == 0 else 2
            first, second = nn.Conv2d(before, view, 3, stride, padding=1), nn.Conv2d(view, view, 3, padding=1)
            self.pyramid.append(nn.Sequential(first, nn.SiLU(), second, nn.SiLU()))
            entering = width * multipliers[max(level - 1, 0)]
            self.meetings.append(Meeting(entering, view, groups, level in attention_levels))
            before = view

    def enter(self, d_t: Tensor, condition: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """The first level knows d_t alone; the views [B,V,h,w] of the condition, fine to coarse."""
        views, current = [], condition
        for stage in self.pyramid:
            current = stage(current)
            views.append(current)
        return self.head(d_t), views

    def meet(self, hidden: Tensor, level: int, views: Sequence[Tensor]) -> Tensor:
        """Join a level with its view."""
        joined: Tensor = self.meetings[level](hidden, views[level])
        return joined
