"""Residual and attention blocks of diffusers, with sums in place and with what does not change computed once."""

from __future__ import annotations

import threading
from typing import Any

import torch
from diffusers.models.activations import GEGLU
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.networks.inference.convolution import PlainConvolution, is_plain, modulate, normalize


class ResidualBlock(nn.Module):
    """A residual block, shifted or scaled and shifted by the time.

    Args:
        block: whose weights it has.
        dtype: what it computes in.
    """

    def __init__(self, block: ResnetBlock2D, dtype: torch.dtype) -> None:
        super().__init__()
        self.norm1, self.norm2 = block.norm1, block.norm2
        self.conv1, self.conv2 = PlainConvolution(block.conv1, dtype), PlainConvolution(block.conv2, dtype)
        self.shortcut = None if block.conv_shortcut is None else PlainConvolution(block.conv_shortcut, dtype)
        self.time, self.acts = block.time_emb_proj, not block.skip_time_act
        self.scales = block.time_embedding_norm == "scale_shift"
        self.divisor = block.output_scale_factor

    def forward(self, image: Tensor, temb: Tensor | None = None) -> Tensor:
        """[B,C,H,W] and the time's embedding [B,E] to [B,D,H,W]."""
        image = image.to(self.conv1.weight.dtype)
        if self.conv1.takes_channels_first(image):
            image = image.contiguous()
        first, second = self.norm1, self.norm2
        found = normalize(image, first.num_groups, first.weight, first.bias, first.eps)
        found = self.conv1(F.silu(found, inplace=True))
        scale = shift = None
        if self.time is not None and temb is not None:
            shift = F.linear(F.silu(temb) if self.acts else temb, self.time.weight.to(temb), self.time.bias.to(temb))
            if self.scales:
                scale, shift = shift.chunk(2, dim=1)  # [B,D]
            else:
                found.add_(shift[:, :, None, None].to(found))
        if scale is not None and shift is not None:
            found = modulate(found, second.num_groups, second.weight, second.bias, second.eps, scale, shift)
        else:
            found = normalize(found, second.num_groups, second.weight, second.bias, second.eps)
        found = self.conv2(F.silu(found, inplace=True))
        found.add_(image if self.shortcut is None else self.shortcut(image))
        return found if self.divisor == 1 else found.div_(self.divisor)


def is_residual(block: nn.Module) -> bool:
    """Whether :class:`ResidualBlock` does what a block does."""
    return (
        type(block) is ResnetBlock2D
        and block.upsample is None
        and block.downsample is None
        and isinstance(block.nonlinearity, nn.SiLU)
        and type(block.norm1) is nn.GroupNorm
        and type(block.norm2) is nn.GroupNorm
        and (block.time_emb_proj is None or block.time_embedding_norm in ("default", "scale_shift"))
        and is_plain(block.conv1)
        and is_plain(block.conv2)
    )


class _Layer(nn.Module):
    """Linear layers side by side as one, with their weights in the type that is computed in."""

    def __init__(self, dtype: torch.dtype, *layers: nn.Module) -> None:
        super().__init__()
        weights, biases = [layer.weight for layer in layers], [layer.bias for layer in layers]
        self.weight: Tensor = torch.cat([weight.detach().flatten(1) for weight in weights]).to(dtype)  # type: ignore[operator]
        self.bias: Tensor | None = None if biases[0] is None else torch.cat([b.detach() for b in biases]).to(dtype)  # type: ignore[operator]

    def forward(self, tokens: Tensor) -> Tensor:
        """[...,C] to [...,D]."""
        return F.linear(tokens.to(self.weight.dtype), self.weight, self.bias)

    def added(self, image: Tensor, tokens: Tensor) -> Tensor:
        """An image [B,D,N] plus what becomes of tokens [B,N,C], channels first: no other layout comes between."""
        weight = self.weight.expand(len(image), -1, -1)  # [B,D,C]
        found = torch.baddbmm(image, weight, tokens.transpose(1, 2))
        return found if self.bias is None else found.add_(self.bias[:, None])


class CrossAttention(nn.Module):
    """Attention to the context; its keys and values are computed once for a context, not once a step.

    With a single token of context all weights are 1, whatever is asked: the attention is that token's value.

    Args:
        attention: whose weights it has.
        dtype: what it computes in.
    """

    def __init__(self, attention: Attention, dtype: torch.dtype) -> None:
        super().__init__()
        self.heads, self.scale = attention.heads, attention.scale
        self.query = _Layer(dtype, attention.to_q)
        self.key_value = _Layer(dtype, attention.to_k, attention.to_v)
        self.out = _Layer(dtype, attention.to_out[0])
        self._known = threading.local()  # parts of a volume are computed side by side, each with its own context

    def forward(self, tokens: Tensor, norm: nn.LayerNorm, context: Tensor) -> Tensor:
        """What is added to tokens [B,N,C], which ``norm`` normalizes, for a context [B,M,K]: [B,N,C] or [B,1,C]."""
        answers = self._of(context)
        if len(answers) == 1:
            return answers[0]
        keys, values = answers
        normal = F.layer_norm(tokens, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
        return _joined(self.out, _heads(self.query(normal), self.heads), keys, values, self.scale)

    def _of(self, context: Tensor) -> tuple[Tensor, ...]:
        """Answers to a context, kept for the next step; in a compiled graph, whose tensors do not last, made anew."""
        if torch.compiler.is_compiling():
            return self._answers(context)
        if getattr(self._known, "context", None) is not context:  # held, so that no other object has its place
            self._known.context, self._known.answers = context, self._answers(context)
        answers: tuple[Tensor, ...] = self._known.answers
        return answers

    def _answers(self, context: Tensor) -> tuple[Tensor, ...]:
        """Keys and values [B,heads,M,C/heads] of a context, or the attention [B,1,C] to its only token."""
        same = context[:1] if context.stride(0) == 0 else context  # one context for all images
        key, value = self.key_value(same).chunk(2, dim=-1)
        if context.shape[1] == 1:
            return (self.out(value).expand(len(context), -1, -1),)
        keys, values = (_heads(one, self.heads).contiguous() for one in (key, value))
        return tuple(one.expand(len(context), -1, -1, -1) for one in (keys, values))


class TransformerBlock(nn.Module):
    """Self-attention, attention to the context and the layers behind them, for tokens.

    Args:
        block: whose weights it has.
        dtype: what it computes in.
    """

    def __init__(self, block: BasicTransformerBlock, dtype: torch.dtype) -> None:
        super().__init__()
        own: Any = block.attn1
        net: Any = block.ff.net
        self.norms = nn.ModuleList([block.norm1, block.norm2, block.norm3])
        self.heads, self.scale = own.heads, own.scale
        self.query_key_value = _Layer(dtype, own.to_q, own.to_k, own.to_v)
        self.out = _Layer(dtype, own.to_out[0])
        self.cross = CrossAttention(block.attn2, dtype)
        self.widen, self.narrow = _Layer(dtype, net[0].proj), _Layer(dtype, net[2])

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Tokens [B,N,C] with the context [B,M,K]; ``tokens`` is overwritten."""
        first, second, third = self.norms
        parts = self.query_key_value(_normal(tokens, first)).chunk(3, dim=-1)
        query, key, value = (_heads(part, self.heads) for part in parts)
        tokens.add_(_joined(self.out, query, key, value, self.scale))
        tokens.add_(self.cross(tokens, second, context))
        wide, gate = self.widen(_normal(tokens, third)).chunk(2, dim=-1)
        return tokens.add_(self.narrow(wide * F.gelu(gate)))


class Transformer(nn.Module):
    """The attention of an image to itself and to a context.

    Args:
        model: whose weights it has.
        dtype: what it computes in.
    """

    def __init__(self, model: Transformer2DModel, dtype: torch.dtype) -> None:
        super().__init__()
        self.norm = model.norm
        self.enter, self.leave = _Layer(dtype, model.proj_in), _Layer(dtype, model.proj_out)
        given: Any = model.transformer_blocks
        self.blocks = nn.ModuleList(TransformerBlock(block, dtype) for block in given)

    def forward(self, image: Tensor, encoder_hidden_states: Tensor, **_: object) -> tuple[Tensor]:
        """[B,C,H,W] and the context [B,M,K] to [B,C,H,W]; by diffusers' names of them."""
        norm, size = self.norm, image.shape[2:]
        image = image.to(self.enter.weight.dtype)
        normal = normalize(image, norm.num_groups, norm.weight, norm.bias, norm.eps)
        tokens = self.enter(normal.flatten(2).transpose(1, 2))  # [B,N,C]
        for block in self.blocks:
            tokens = block(tokens, encoder_hidden_states)
        return (self.leave.added(image.flatten(2), tokens).unflatten(2, size),)


def is_transformer(model: nn.Module) -> bool:
    """Whether :class:`Transformer` does what a model does."""
    if type(model) is not Transformer2DModel:
        return False
    blocks: Any = model.transformer_blocks
    return (
        bool(model.is_input_continuous)
        and getattr(model, "caption_projection", None) is None
        and type(model.norm) is nn.GroupNorm
        and all(
            block.norm_type == "layer_norm"
            and block.pos_embed is None
            and not block.only_cross_attention
            and block.attn2 is not None
            and block._chunk_size is None
            and type(block.ff.net[0]) is GEGLU
            and all(_is_simple(attention) for attention in (block.attn1, block.attn2))
            for block in blocks
        )
    )


def _is_simple(attention: Attention) -> bool:
    """Whether an attention is queries, keys, values and an output, and nothing else."""
    others = attention.group_norm, attention.spatial_norm, attention.norm_q, attention.norm_k, attention.norm_cross
    return (
        all(other is None for other in others)
        and not attention.residual_connection
        and not attention.upcast_attention
        and attention.added_kv_proj_dim is None
        and attention.rescale_output_factor == 1
    )


def _normal(tokens: Tensor, norm: nn.Module) -> Tensor:
    return F.layer_norm(tokens, norm.normalized_shape, norm.weight, norm.bias, norm.eps)  # type: ignore[arg-type]


def _heads(tokens: Tensor, heads: int) -> Tensor:
    """[B,N,C] as [B,heads,N,C/heads]."""
    return tokens.unflatten(2, (heads, -1)).transpose(1, 2)


def _joined(out: _Layer, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """The attention of queries [B,heads,N,W] to keys and values [B,heads,M,W], through the output layer: [B,N,C]."""
    found = F.scaled_dot_product_attention(query, key, value, scale=scale)
    result: Tensor = out(found.transpose(1, 2).flatten(2))
    return result
