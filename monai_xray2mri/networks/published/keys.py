"""Where each tensor of the paper-size network lies in a published checkpoint (CompVis key names).

Zero-123 (Liu et al. 2023) and the Stable Diffusion image variations that it started from are saved by the CompVis
latent diffusion code, with OpenAI's names inside CLIP; our network uses diffusers' and transformers' names. The maps go
from our names to theirs, so that nothing of our network can be forgotten. They are written for the topology of the
paper size (two residual blocks per level, attention at levels 0 to 2), at any number of channels.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

_LAYERS = 2  # residual blocks per level
_ATTENDING = (False, True, True, True)  # levels of the up path, coarse to fine
_LEVELS = 4

UNET, EMA, AUTOENCODER, CLIP, PROJECTION = (
    "model.diffusion_model.",
    "model_ema.",
    "first_stage_model.",
    "cond_stage_model.model.visual.",
    "cc_projection.",
)


@dataclass(frozen=True)
class Source:
    """Where a tensor comes from.

    Attributes:
        key: its key in the checkpoint.
        convert: the change that the stored tensor needs to become ours.
    """

    key: str
    convert: Callable[[Tensor], Tensor] = lambda tensor: tensor


def source_of(name: str, ema: bool) -> Source | None:
    """Where a tensor of a latent diffusion network of the paper size comes from.

    Args:
        name: key of our state dict, below ``denoiser``, ``autoencoder`` or ``radiograph_encoder``.
        ema: take the U-Net's moving average, as Zero-123 samples, instead of the last weights.

    Returns:
        None for a tensor that no published checkpoint has (depth, features, latent scale).
    """
    for prefix, mapped in (
        ("denoiser.unet.", partial(_unet, ema=ema)),
        ("autoencoder.kl.", _autoencoder),
        ("radiograph_encoder.tower.", _clip),
    ):
        if name.startswith(prefix):
            return mapped(name.removeprefix(prefix))
    if name.startswith("radiograph_encoder.projection."):
        return Source(PROJECTION + name.removeprefix("radiograph_encoder.projection."))
    return None


def average_key(key: str) -> str:
    """Key of the moving average of a U-Net's tensor: the CompVis code takes the dots out of its name."""
    return EMA + key.removeprefix("model.").replace(".", "")


def _rename(name: str, renames: dict[str, str]) -> str:
    """The name with the first of the leading parts that fits replaced."""
    for ours, theirs in renames.items():
        if name == ours or name.startswith(ours + "."):
            return theirs + name.removeprefix(ours)
    return name


_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_UNET_RESIDUAL = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET_LEVEL = re.compile(r"(down|up)_blocks\.(\d)\.(resnets|attentions|downsamplers|upsamplers)\.(\d)\.(.+)")


def _unet(name: str, ema: bool) -> Source:
    level = _UNET_LEVEL.fullmatch(name)
    theirs = _rename(name, _UNET_ENDS) if level is None else _unet_level(*level.groups())
    if theirs.startswith(("middle_block.0.", "middle_block.2.")):
        place, _, rest = theirs.partition(".")[2].partition(".")
        theirs = f"middle_block.{place}.{_rename(rest, _UNET_RESIDUAL)}"
    return Source(average_key(UNET + theirs) if ema else UNET + theirs)


def _unet_level(path: str, level: str, part: str, number: str, rest: str) -> str:
    """CompVis counts all blocks of a path in one list: the residual blocks of a level, then its change of size."""
    if path == "down":
        first = 1 + (_LAYERS + 1) * int(level)  # block 0 is the first convolution
        if part == "downsamplers":
            return f"input_blocks.{first + _LAYERS}.0.{rest.replace('conv', 'op')}"
        blocks = "input_blocks"
    else:
        first = (_LAYERS + 1) * int(level)
        if part == "upsamplers":  # stands behind the attention of the level's last block, if it has one
            return f"output_blocks.{first + _LAYERS}.{2 if _ATTENDING[int(level)] else 1}.{rest}"
        blocks = "output_blocks"
    if part == "attentions":
        return f"{blocks}.{first + int(number)}.1.{rest}"  # the names inside are the same
    return f"{blocks}.{first + int(number)}.0.{_rename(rest, _UNET_RESIDUAL)}"


_MIDDLE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_AUTOENCODER_LEVEL = re.compile(
    r"(encoder|decoder)\.(down|up|mid)_blocks?\.?(\d?)\.(resnets|attentions|downsamplers|upsamplers)\.(\d)\.(.+)"
)


def _autoencoder(name: str) -> Source:
    level = _AUTOENCODER_LEVEL.fullmatch(name)
    if level is None:
        return Source(AUTOENCODER + name.replace("conv_norm_out", "norm_out"))
    half, path, number, part, place, rest = level.groups()
    rest = _rename(rest, {"conv_shortcut": "nin_shortcut"})
    if part == "attentions":
        rest = _rename(rest, _MIDDLE_ATTENTION)
        key = f"{AUTOENCODER}{half}.mid.attn_1.{rest}"
        pointwise = rest.endswith(".weight") and not rest.startswith("norm.")
        return Source(key, lambda weight: weight.flatten(1)) if pointwise else Source(key)
    if path == "mid":
        return Source(f"{AUTOENCODER}{half}.mid.block_{int(place) + 1}.{rest}")
    at = int(number) if path == "down" else _LEVELS - 1 - int(number)  # CompVis counts levels from the fine end
    inside = {"resnets": f"block.{place}", "downsamplers": "downsample", "upsamplers": "upsample"}[part]
    return Source(f"{AUTOENCODER}{half}.{path}.{at}.{inside}.{rest}")


_CLIP_ENDS = {
    "vision_model.embeddings.class_embedding": "class_embedding",
    "vision_model.embeddings.patch_embedding": "conv1",
    "vision_model.embeddings.position_embedding.weight": "positional_embedding",
    "vision_model.pre_layrnorm": "ln_pre",  # transformers' own spelling
    "vision_model.post_layernorm": "ln_post",
}
_CLIP_BLOCK = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_CLIP_LAYER = re.compile(r"vision_model\.encoder\.layers\.(\d+)\.(.+)")
_CLIP_INPUT = re.compile(r"self_attn\.([qkv])_proj\.(weight|bias)")


def _clip(name: str) -> Source:
    if name == "visual_projection.weight":
        return Source(f"{CLIP}proj", lambda weight: weight.T)
    layer = _CLIP_LAYER.fullmatch(name)
    if layer is None:
        return Source(CLIP + _rename(name, _CLIP_ENDS))
    number, rest = layer.groups()
    block = f"{CLIP}transformer.resblocks.{number}."
    if joined := _CLIP_INPUT.fullmatch(rest):  # queries, keys and values lie in one tensor, in this order
        third = "qkv".index(joined[1])
        return Source(f"{block}attn.in_proj_{joined[2]}", lambda tensor: tensor.chunk(3)[third])
    return Source(block + _rename(rest, _CLIP_BLOCK))
