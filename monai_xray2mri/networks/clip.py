"""CLIP's embedding of an image, as Zero-123 conditions on it (Wang 2024a and 2024b: pre-trained E2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.errors import UsageError

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STANDARD_DEVIATION = (0.26862954, 0.26130258, 0.27577711)


class ClipImageEncoder(nn.Module):
    """CLIP's vision tower (Radford et al. 2021) and the projection behind it (Liu et al. 2023, Zero-1-to-3).

    Wang 2024a and 2024b take E2 from CLIP and start from Zero-123, whose context is one token: a linear map of the
    image embedding and four numbers of the camera's pose. A radiograph and an MR series have no such pose, so the four
    numbers are constant, zero unless given: the depth goes into the down path's time embedding instead, as Fig. 2 of
    Wang 2024a draws it (:class:`~monai_xray2mri.networks.condition.DepthEmbedding`). They stay in the input, so that a
    published projection loads unchanged.

    The tower is frozen, as in Zero-123; the projection is trained. It starts as the identity of the embedding, which is
    what Zero-123 itself began with. The defaults are ViT-L/14, 303,966,208 parameters. Nothing is ever downloaded:
    the weights come from a checkpoint (``xray2mri import-weights``), or are random.

    Args:
        width: width of the transformer's tokens.
        layers: its blocks.
        heads: its attention heads.
        patch: side of a patch in pixels.
        image_size: side of the tower's input in pixels; images are resized to it.
        embedding: width of the image embedding.
        context: width of the token that comes out.
        pose: the four numbers in place of Zero-123's camera pose (polar angle, sine and cosine of azimuth, radius).

    Raises:
        UsageError: transformers is not installed; the message names the extra.
    """

    pose: Tensor
    mean: Tensor
    standard_deviation: Tensor

    def __init__(
        self,
        width: int = 1024,
        layers: int = 24,
        heads: int = 16,
        patch: int = 14,
        image_size: int = 224,
        embedding: int = 768,
        context: int = 768,
        pose: Sequence[float] = (0.0, 0.0, 0.0, 0.0),
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.tokens = (1, context)
        self.tower = _vision_tower(width, layers, heads, patch, image_size, embedding).requires_grad_(False)
        self.projection = nn.Linear(embedding + len(pose), context)
        nn.init.eye_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)
        self.register_buffer("pose", torch.tensor(pose), persistent=False)
        self.register_buffer("mean", torch.tensor(_MEAN).reshape(3, 1, 1), persistent=False)
        self.register_buffer("standard_deviation", torch.tensor(_STANDARD_DEVIATION).reshape(3, 1, 1), persistent=False)

    def preprocess(self, image: Tensor) -> Tensor:
        """What the tower sees of images [B,1,H,W] in [-1,1]: [B,3,224,224] with CLIP's mean and deviation.

        Zero-123 resizes with corners aligned and without smoothing, unlike CLIP's own preprocessing.
        """
        resized = F.interpolate(image, (self.image_size, self.image_size), mode="bicubic", align_corners=True)
        return ((resized + 1) / 2 - self.mean) / self.standard_deviation

    def forward(self, image: Tensor) -> Tensor:
        """One token [B,1,context] of images [B,1,H,W] in [-1,1]."""
        with torch.no_grad():
            embedding = self.tower(pixel_values=self.preprocess(image)).image_embeds  # [B,embedding]
        pose = self.pose.expand(len(embedding), -1)
        return self.projection(torch.cat([embedding, pose], dim=1))[:, None]


def _vision_tower(width: int, layers: int, heads: int, patch: int, image_size: int, embedding: int) -> Any:
    try:
        from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
    except ImportError as error:
        raise UsageError(
            "Python package transformers",
            "is needed by the CLIP image encoder and is not installed",
            remedy='Install the extra "zero123": pip install "monai-xray2mri[zero123]".',
        ) from error
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        projection_dim=embedding,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        image_size=image_size,
        patch_size=patch,
        hidden_act="quick_gelu",  # the activation of OpenAI's weights
    )
    return CLIPVisionModelWithProjection(config)
