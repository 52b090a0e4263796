"""Zero-123 in plain PyTorch, written from its architecture with CompVis and OpenAI names, and checkpoints of it.

Nothing here is used by the package: it is what the package's import is compared with.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Residual(nn.Module):
    def __init__(self, before: int, after: int, embedding: int, groups: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(nn.GroupNorm(groups, before), nn.SiLU(), nn.Conv2d(before, after, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, after))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(groups, after), nn.SiLU(), nn.Dropout(0), nn.Conv2d(after, after, 3, padding=1)
        )
        self.skip_connection = nn.Identity() if before == after else nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, time: Tensor, _: Tensor) -> Tensor:
        inside = self.in_layers(x) + self.emb_layers(time)[..., None, None]
        return self.skip_connection(x) + self.out_layers(inside)


class Attention(nn.Module):
    def __init__(self, width: int, context: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k = nn.Linear(width, width, bias=False), nn.Linear(context, width, bias=False)
        self.to_v = nn.Linear(context, width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width), nn.Dropout(0))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        q, k, v = (t.unflatten(2, (self.heads, -1)).transpose(1, 2) for t in
                   (self.to_q(x), self.to_k(context), self.to_v(context)))  # fmt: skip
        weight = (q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])).softmax(-1)
        return self.to_out((weight @ v).transpose(1, 2).flatten(2))


class GatedGelu(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 8 * width)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(GatedGelu(width), nn.Dropout(0), nn.Linear(4 * width, width))


class Block(nn.Module):
    def __init__(self, width: int, context: int, heads: int) -> None:
        super().__init__()
        self.attn1, self.attn2 = Attention(width, width, heads), Attention(width, context, heads)
        self.ff = FeedForward(width)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        inside = self.norm1(x)
        x = x + self.attn1(inside, inside)
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff.net(self.norm3(x))


class Transformer(nn.Module):
    def __init__(self, width: int, context: int, heads: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.proj_in, self.proj_out = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)
        self.transformer_blocks = nn.ModuleList([Block(width, context, heads)])

    def forward(self, x: Tensor, _: Tensor, context: Tensor) -> Tensor:
        tokens = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)
        for block in self.transformer_blocks:
            tokens = block(tokens, context)
        return x + self.proj_out(tokens.transpose(1, 2).reshape(x.shape))


class Down(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, x: Tensor, *_: Tensor) -> Tensor:
        return self.op(x)


class Up(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, *_: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class First(nn.Conv2d):
    def forward(self, x: Tensor, *_: Tensor) -> Tensor:
        return super().forward(x)


class Unet(nn.Module):
    def __init__(self, base: int, context: int, heads: int, groups: int, channels_in: int = 8) -> None:
        super().__init__()
        self.base, embedding = base, 4 * base
        self.time_embed = nn.Sequential(nn.Linear(base, embedding), nn.SiLU(), nn.Linear(embedding, embedding))

        def attend(width: int, level: int) -> list[nn.Module]:
            return [Transformer(width, context, heads, groups)] if level < 3 else []

        self.input_blocks = nn.ModuleList([nn.ModuleList([First(channels_in, base, 3, padding=1)])])
        widths, width = [base], base
        for level, factor in enumerate((1, 2, 4, 4)):
            for _ in range(2):
                block = [Residual(width, factor * base, embedding, groups), *attend(factor * base, level)]
                self.input_blocks.append(nn.ModuleList(block))
                width = factor * base
                widths.append(width)
            if level < 3:
                self.input_blocks.append(nn.ModuleList([Down(width)]))
                widths.append(width)
        self.middle_block = nn.ModuleList([
            Residual(width, width, embedding, groups),
            Transformer(width, context, heads, groups),
            Residual(width, width, embedding, groups),
        ])  # fmt: skip
        self.output_blocks = nn.ModuleList()
        for level, factor in reversed(list(enumerate((1, 2, 4, 4)))):
            for index in range(3):
                residual = Residual(width + widths.pop(), factor * base, embedding, groups)
                width = factor * base
                up = [Up(width)] if level > 0 and index == 2 else []
                self.output_blocks.append(nn.ModuleList([residual, *attend(width, level), *up]))
        self.out = nn.Sequential(nn.GroupNorm(groups, width), nn.SiLU(), nn.Conv2d(width, 4, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor, context: Tensor) -> Tensor:
        half = self.base // 2
        angle = t[:, None].float() * torch.exp(-math.log(10000) * torch.arange(half) / half)
        time = self.time_embed(torch.cat([angle.cos(), angle.sin()], dim=1))
        skips = []
        for block in self.input_blocks:
            for layer in block:
                x = layer(x, time, context)
            skips.append(x)
        for layer in self.middle_block:
            x = layer(x, time, context)
        for block in self.output_blocks:
            x = torch.cat([x, skips.pop()], dim=1)
            for layer in block:
                x = layer(x, time, context)
        return self.out(x)


class PixelResidual(nn.Module):
    def __init__(self, before: int, after: int, groups: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, before, eps=1e-6), nn.Conv2d(before, after, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(groups, after, eps=1e-6), nn.Conv2d(after, after, 3, padding=1)
        if before != after:
            self.nin_shortcut = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        inside = self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))
        return inside + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class PixelAttention(nn.Module):
    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(width, width, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        inside = self.norm(x)
        q, k, v = (layer(inside).flatten(2) for layer in (self.q, self.k, self.v))  # [B,C,N]
        weight = (q.transpose(1, 2) @ k / math.sqrt(q.shape[1])).softmax(-1)  # [B,N,N]
        return x + self.proj_out((v @ weight.transpose(1, 2)).reshape(x.shape))


def middle(width: int, groups: int) -> nn.Module:
    part = nn.Module()
    part.block_1, part.attn_1 = PixelResidual(width, width, groups), PixelAttention(width, groups)
    part.block_2 = PixelResidual(width, width, groups)
    return part


class Autoencoder(nn.Module):
    def __init__(self, base: int, groups: int) -> None:
        super().__init__()
        widths = [base, 2 * base, 4 * base, 4 * base]
        encoder, decoder = nn.Module(), nn.Module()
        encoder.conv_in, encoder.down = nn.Conv2d(3, base, 3, padding=1), nn.ModuleList()
        width = base
        for level, after in enumerate(widths):
            part = nn.Module()
            part.block = nn.ModuleList([PixelResidual(width, after, groups), PixelResidual(after, after, groups)])
            if level < 3:
                part.downsample = nn.Module()
                part.downsample.conv = nn.Conv2d(after, after, 3, stride=2)
            encoder.down.append(part)
            width = after
        encoder.mid, encoder.norm_out = middle(width, groups), nn.GroupNorm(groups, width, eps=1e-6)
        encoder.conv_out = nn.Conv2d(width, 8, 3, padding=1)
        decoder.conv_in, decoder.mid = nn.Conv2d(4, width, 3, padding=1), middle(width, groups)
        decoder.up = nn.ModuleList([nn.Module() for _ in widths])
        for level, after in reversed(list(enumerate(widths))):
            blocks = [PixelResidual(width if index == 0 else after, after, groups) for index in range(3)]
            decoder.up[level].block = nn.ModuleList(blocks)
            if level > 0:
                decoder.up[level].upsample = nn.Module()
                decoder.up[level].upsample.conv = nn.Conv2d(after, after, 3, padding=1)
            width = after
        decoder.norm_out = nn.GroupNorm(groups, width, eps=1e-6)
        decoder.conv_out = nn.Conv2d(width, 3, 3, padding=1)
        self.encoder, self.decoder = encoder, decoder
        self.quant_conv, self.post_quant_conv = nn.Conv2d(8, 8, 1), nn.Conv2d(4, 4, 1)

    def encode(self, image: Tensor) -> Tensor:
        """Mean of the posterior: [B,3,H,W] to [B,4,H/8,W/8]."""
        part: Any = self.encoder
        x = part.conv_in(image)
        for level in part.down:
            for block in level.block:
                x = block(x)
            if hasattr(level, "downsample"):
                x = level.downsample.conv(F.pad(x, (0, 1, 0, 1)))
        x = part.mid.block_2(part.mid.attn_1(part.mid.block_1(x)))
        return self.quant_conv(part.conv_out(F.silu(part.norm_out(x))))[:, :4]

    def decode(self, latent: Tensor) -> Tensor:
        part: Any = self.decoder
        x = part.conv_in(self.post_quant_conv(latent))
        x = part.mid.block_2(part.mid.attn_1(part.mid.block_1(x)))
        for level in reversed(part.up):
            for block in level.block:
                x = block(x)
            if hasattr(level, "upsample"):
                x = level.upsample.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return part.conv_out(F.silu(part.norm_out(x)))


class QuickGelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class VisionBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        layers = {"c_fc": nn.Linear(width, 4 * width), "gelu": QuickGelu(), "c_proj": nn.Linear(4 * width, width)}
        self.mlp = nn.Sequential(OrderedDict(layers))

    def forward(self, x: Tensor) -> Tensor:
        inside = self.ln_1(x)
        x = x + self.attn(inside, inside, inside, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Vision(nn.Module):
    def __init__(self, width: int, layers: int, heads: int, patch: int, image_size: int, embedding: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width))
        self.positional_embedding = nn.Parameter(torch.randn((image_size // patch) ** 2 + 1, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.Sequential(*(VisionBlock(width, heads) for _ in range(layers)))
        self.proj = nn.Parameter(torch.randn(width, embedding))

    def forward(self, image: Tensor) -> Tensor:
        patches = self.conv1(image).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_embedding.expand(len(image), 1, -1), patches], dim=1)
        x = self.transformer.resblocks(self.ln_pre(tokens + self.positional_embedding))
        return self.ln_post(x[:, 0]) @ self.proj


class Zero123(nn.Module):
    """All parts, under the names of the published checkpoints; the real size has the default numbers."""

    def __init__(self, *, base: int = 320, context: int = 768, heads: int = 8, groups: int = 32, pixel: int = 128,
                 vision: tuple[int, ...] = (1024, 24, 16, 14, 224), channels_in: int = 8) -> None:  # fmt: skip
        super().__init__()
        self.model = nn.Module()
        self.model.diffusion_model = Unet(base, context, heads, groups, channels_in)
        self.first_stage_model = Autoencoder(pixel, groups)
        self.cond_stage_model = nn.Module()
        self.cond_stage_model.model = nn.Module()
        self.cond_stage_model.model.visual = Vision(*vision, context)
        self.cc_projection = nn.Linear(context + 4, context)

    def context(self, image: Tensor) -> Tensor:
        """Context [B,1,C] of images [B,3,H,W] in [-1,1] at pose zero; they have the tower's size already."""
        mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
        deviation = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
        tower: Any = self.cond_stage_model.model.visual
        embedding = tower((image / 2 + 0.5 - mean) / deviation)
        return self.cc_projection(F.pad(embedding, (0, 4)))[:, None]


TINY: dict[str, Any] = {
    "base": 8, "context": 8, "heads": 2, "groups": 4, "pixel": 4, "vision": (16, 2, 2, 4, 16),
}  # fmt: skip
TINY_CONFIGURATION: dict[str, dict[str, Any]] = {
    "autoencoder_def": {"channels": [4, 8, 16, 16], "groups": 4},
    "diffusion_def": {"channels": [8, 16, 32, 32], "context": 8, "heads": 2, "groups": 4, "sample_size": 8},
    "encoder_def": {"width": 16, "layers": 2, "heads": 2, "patch": 4, "image_size": 16, "embedding": 8, "context": 8},
}


def scattered(module: nn.Module) -> nn.Module:
    """The module with all its parameters away from where they start: norms too, so that none can be swapped."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module.eval()


def state_of(model: Zero123, average: Zero123) -> dict[str, Tensor]:
    """The state dict of a Lightning checkpoint: weights, the U-Net's moving average, leftovers and buffers."""
    state = dict(model.state_dict())
    for name, value in average.model.state_dict().items():
        state["model_ema." + name.replace(".", "")] = value
    state["model_ema.decay"], state["model_ema.num_updates"] = torch.tensor(0.9999), torch.tensor(105000)
    state["cond_stage_model.model.ln_final.weight"] = torch.ones(8)
    state["cond_stage_model.model.logit_scale"] = torch.tensor(4.6)
    state["betas"] = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64).square().float()
    return state


def tiny_bundle(folder: Path, bundle: Path) -> Path:
    """A bundle whose ``configs/tiny.json`` is the paper's configuration with few channels."""
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "inference.json").write_bytes((bundle / "configs" / "inference.json").read_bytes())
    paper = json.loads((bundle / "configs" / "paper.json").read_text())
    for name, numbers in TINY_CONFIGURATION.items():
        paper[name].update(numbers)
    paper["diffusion_def"]["guide"]["embedding"] = 32
    paper["network_def#image_size"] = 64
    (folder / "configs" / "tiny.json").write_text(json.dumps(paper))
    return folder
