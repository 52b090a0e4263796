"""The conditional denoiser: a 2-D U-Net, depth in the down path, features in the up path (Wang 2024a, Fig. 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from monai_xray2mri.networks.condition import DepthEmbedding, FeatureEmbedding


class SliceDenoiser(nn.Module):
    """U-Net of one slice (Wang 2024a, section II-B: 8 channels in, 4 out, context by cross-attention).

    The noisy latent and the radiograph's latent enter side by side. The time embedding is shared; the *down* path
    gets the depth added to it, the *up* path the radiographic features. The papers do not say which of the two the
    middle block belongs to: here it closes the down path, because "spatial hierarchy" is established there and
    features "guide the synthesis of fine clinical features based on it".

    The defaults are the compact size. The paper's numbers are
    ``channels=(320, 640, 1280, 1280), layers=2, attention=(True, True, True, False), context=768, heads=8,
    groups=32, film=False``: 859,532,484 parameters before the added conditioning, as Zero-123 has.

    Args:
        latent_channels: channels of the noisy latent, of the radiograph's latent and of the output.
        channels: channels per level.
        layers: residual blocks per level of the down path (the up path has one more).
        attention: for each level, whether it attends (self- and cross-attention).
        context: width of a context token.
        heads: attention heads.
        groups: groups of the group normalisation.
        guide: what the up path gets: a module of guidance [B,G] and depth [B] to [B,4 * channels[0]] with the attribute
            ``features`` = G; None takes :class:`~monai_xray2mri.networks.condition.FeatureEmbedding` of the 61 numbers
            of the radiographic features (Wang 2024a).
        film: scale and shift after the normalisation (FiLM) instead of adding the embedding before it; only with it
            did features decide lesions in the compact size.
        sample_size: side of the latent.
        zero_start: the depth embedding, and the guide if it is made here, begin at zero, so that a pre-trained U-Net's
            first prediction is its own.
    """

    def __init__(
        self,
        latent_channels: int = 4,
        channels: Sequence[int] = (48, 64, 80, 96),
        layers: int = 1,
        attention: Sequence[bool] = (False, False, True, True),
        context: int = 64,
        heads: int = 4,
        groups: int = 16,
        guide: nn.Module | None = None,
        film: bool = True,
        sample_size: int = 32,
        zero_start: bool = False,
    ) -> None:
        super().__init__()
        self.unet: Any = UNet2DConditionModel(
            sample_size=sample_size,
            in_channels=2 * latent_channels,
            out_channels=latent_channels,
            block_out_channels=tuple(channels),
            layers_per_block=layers,
            down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attention),
            up_block_types=tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attention)),
            cross_attention_dim=context,
            attention_head_dim=heads,  # diffusers' historical name: this is the number of heads
            norm_num_groups=groups,
            resnet_time_scale_shift="scale_shift" if film else "default",
        )
        embedding = 4 * channels[0]
        self.depth_embedding = DepthEmbedding(embedding, zero_start=zero_start)
        self.guide: Any = FeatureEmbedding(61, embedding, zero_start=zero_start) if guide is None else guide

    def forward(
        self, noisy: Tensor, t: Tensor, radiograph_latent: Tensor, context: Tensor, depth: Tensor, features: Tensor
    ) -> Tensor:
        """One evaluation of U(z_t, E2(y), t, d, r).

        Args:
            noisy: z_t, [B,C,h,w].
            t: time step, [B] int64.
            radiograph_latent: E2(y), [B,C,h,w].
            context: image embedding of the radiograph, [B,N,context].
            depth: d in [0,1], [B].
            features: guidance of the up path, [m*B,G]; one-hot r, [B,61], in Wang 2024a. With m > 1 these are m kinds
                of guidance for the same B; the down path, which never sees them, is evaluated once.

        Returns:
            The network's prediction (eps or v, as it was trained), [m*B,C,h,w].
        """
        unet, several = self.unet, len(features) // len(noisy)
        time = unet.time_embedding(unet.time_proj(t).to(noisy.dtype))  # [B,E]
        down = time + self.depth_embedding(depth)
        up = _repeated(time, several) + self.guide(features, _repeated(depth, several))

        hidden = unet.conv_in(torch.cat([noisy, radiograph_latent], dim=1))  # [B,c0,h,w]
        skips: tuple[Tensor, ...] = (hidden,)
        for block in unet.down_blocks:
            hidden, new = block(hidden, down, **_attend(block, context))
            skips += new
        hidden = unet.mid_block(hidden, down, encoder_hidden_states=context)
        hidden, context = _repeated(hidden, several), _repeated(context, several)  # [m*B,...]
        skips = tuple(_repeated(skip, several) for skip in skips)
        for block in unet.up_blocks:
            count = len(block.resnets)
            skips, own = skips[:-count], skips[-count:]
            hidden = block(hidden, res_hidden_states_tuple=own, temb=up, **_attend(block, context))
        return unet.conv_out(unet.conv_act(unet.conv_norm_out(hidden)))  # [B,C,h,w]


def _repeated(batch: Tensor, times: int) -> Tensor:
    """A batch [B,...] several times over, [times*B,...]; itself for once."""
    return batch if times == 1 else torch.cat([batch] * times)


def _attend(block: nn.Module, context: Tensor) -> dict[str, Tensor]:
    return {"encoder_hidden_states": context} if getattr(block, "has_cross_attention", False) else {}
