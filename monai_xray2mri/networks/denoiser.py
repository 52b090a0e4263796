"""The conditional denoiser: a 2-D U-Net, the place in the down path, a guide in the up path (Wang 2024a, Fig. 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from monai_xray2mri.networks.depth_mixing import DepthMixing


class SliceDenoiser(nn.Module):
    """U-Net of one slice (Wang 2024a, section II-B: 8 channels in, 4 out, context by cross-attention).

    The noisy latent and the condition's latent enter side by side. The time embedding is shared; the *down* path gets
    the place of the slice added to it, the *up* path the guide. The papers do not say which of the two the middle
    block belongs to: here it closes the down path, because "spatial hierarchy" is established there and features
    "guide the synthesis of fine clinical features based on it".

    The defaults are the compact size. The paper's numbers are
    ``channels=(320, 640, 1280, 1280), layers=2, attention=(True, True, True, False), context=768, heads=8,
    groups=32, scale_shift=False``: 859,532,484 parameters before the added conditioning, as Zero-123 has.

    Args:
        place: embeds places for the down path: [B] or [B,P] to [B,E] with E = 4 * channels[0], such as
            :class:`~monai_xray2mri.networks.condition.DepthEmbedding`; None: slices have no place.
        guide: embeds guides and places for the up path: [B,G] and [B] or [B,P] to [B,E], such as
            :class:`~monai_xray2mri.networks.condition.FeatureEmbedding`; its attribute ``width`` is G. None: nothing
            guides the up path.
        latent_channels: channels of the noisy latent and of the output.
        condition_channels: channels of the condition's latent.
        channels: channels per level.
        layers: residual blocks per level of the down path (the up path has one more).
        attention: for each level, whether it attends (self- and cross-attention).
        context: width of a context token.
        heads: attention heads.
        groups: groups of the group normalization.
        scale_shift: embeddings scale and shift what was normalized (feature-wise linear modulation, Perez et al. 2018)
            instead of being added before it; only with it did features decide lesions in the compact size.
        sample_size: side of the latent.
        mixing: arguments of :class:`~monai_xray2mri.networks.depth_mixing.DepthMixing` (``blocks``, ``rank`` ...), with
            which neighboring slices hear each other; None: each slice is drawn on its own, as in the papers.

    Raises:
        ValueError: impossible arguments of the mixing.
    """

    def __init__(
        self,
        place: nn.Module | None = None,
        guide: nn.Module | None = None,
        *,
        latent_channels: int = 4,
        condition_channels: int = 4,
        channels: Sequence[int] = (48, 64, 80, 96),
        layers: int = 1,
        attention: Sequence[bool] = (False, False, True, True),
        context: int = 64,
        heads: int = 4,
        groups: int = 16,
        scale_shift: bool = True,
        sample_size: int = 32,
        mixing: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.unet: Any = UNet2DConditionModel(
            sample_size=sample_size,
            in_channels=latent_channels + condition_channels,
            out_channels=latent_channels,
            block_out_channels=tuple(channels),
            layers_per_block=layers,
            down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attention),
            up_block_types=tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attention)),
            cross_attention_dim=context,
            attention_head_dim=heads,  # diffusers' historical name: this is the number of heads
            norm_num_groups=groups,
            resnet_time_scale_shift="scale_shift" if scale_shift else "default",
        )
        self.depth_embedding = place  # under the name that the shipped weights have for it
        self.guide = guide
        last = len(channels) - 1
        widths = {f"down_{level}": width for level, width in enumerate(channels)} | {"mid": channels[last]}
        widths |= {f"up_{level}": channels[last - level] for level in range(last + 1)}
        self.mixing = None if mixing is None else DepthMixing(widths, 4 * channels[0], **mixing)

    @property
    def guide_width(self) -> int:
        """Width G of a guide; 0 without one."""
        return 0 if self.guide is None else int(self.guide.width)  # type: ignore[arg-type]

    def forward(
        self,
        noisy: Tensor,
        t: Tensor,
        image_latent: Tensor,
        context: Tensor,
        place: Tensor,
        guide: Tensor,
        neighbors: Tensor | None = None,
    ) -> Tensor:
        """One evaluation of U; in Wang 2024a U(z_t, E2(y), t, d, r).

        Args:
            noisy: z_t, [B,C,h,w].
            t: time step, [B].
            image_latent: latent of the condition, [B,K,h,w]; E2(y) of the radiograph y in Wang 2024a.
            context: tokens of the condition, [B,N,context].
            place: where the slice lies, [B] or [B,P]; depth d in [0,1], [B], in Wang 2024a.
            guide: what guides the up path, [m*B,G]; one-hot r, [B,61], in Wang 2024a. With m > 1 these are m guides
                for the same B; the down path, which never sees them, is evaluated once.
            neighbors: of :meth:`DepthMixing.neighbors <monai_xray2mri.networks.depth_mixing.DepthMixing.neighbors>`,
                [2n,S,S], where the batch is a number of times the same S slices; None: each stands alone.

        Returns:
            The network's prediction (eps or v, as it was trained), [m*B,C,h,w].
        """
        unet, several = self.unet, len(guide) // len(noisy)
        time = unet.time_embedding(unet.time_proj(t).to(noisy.dtype))  # [B,E]
        down = time if self.depth_embedding is None else time + self.depth_embedding(place)
        up = _tile(time, several)
        if self.guide is not None:
            up = up + self.guide(guide, _tile(place, several))

        hidden = unet.conv_in(torch.cat([noisy, image_latent], dim=1))  # [B,c0,h,w]
        skips: tuple[Tensor, ...] = (hidden,)
        for level, block in enumerate(unet.down_blocks):
            hidden, new = block(hidden, down, **_attend(block, context))
            hidden, skips = self._mix(f"down_{level}", hidden, time, neighbors), skips + new
        hidden = self._mix("mid", unet.mid_block(hidden, down, encoder_hidden_states=context), time, neighbors)
        hidden, context = _tile(hidden, several), _tile(context, several)  # [m*B,...]
        skips = tuple(_tile(skip, several) for skip in skips)
        for level, block in enumerate(unet.up_blocks):
            count = len(block.resnets)
            skips, own = skips[:-count], skips[-count:]
            hidden = block(hidden, res_hidden_states_tuple=own, temb=up, **_attend(block, context))
            hidden = self._mix(f"up_{level}", hidden, time, neighbors)
        return unet.conv_out(unet.conv_act(unet.conv_norm_out(hidden)))  # [m*B,C,h,w]

    def _mix(self, name: str, hidden: Tensor, time: Tensor, neighbors: Tensor | None) -> Tensor:
        return hidden if self.mixing is None else self.mixing(name, hidden, time, neighbors)


def _tile(batch: Tensor, times: int) -> Tensor:
    """A batch [B,...] ``times`` times in a row: [times*B,...]."""
    return batch if times == 1 else torch.cat([batch] * times)


def _attend(block: nn.Module, context: Tensor) -> dict[str, Tensor]:
    """The context as an argument for a block, if that block attends to it."""
    return {"encoder_hidden_states": context} if getattr(block, "has_cross_attention", False) else {}
