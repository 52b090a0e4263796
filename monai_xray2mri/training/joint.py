"""Batches for a denoiser that is guided by paper 000's features and by what paper 001 reads from the radiograph."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_xray2mri.training.denoiser import ForwardDiffusion


class JointForwardDiffusion(ForwardDiffusion):
    """A :class:`ForwardDiffusion` whose guidance is [r, p, i], for :class:`~.networks.adaptive_weight.JointGuide`.

    The network's ``describe`` leaves room for r, *unknown*
    (:class:`~monai_xray2mri.detection.koa.DescribeKOA` with ``unknown=61``); the batch's features go there.
    """

    @torch.no_grad()
    def described(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """``features`` [B,61 + 69]: those of the batch beside the description of ``radiograph`` [B,1,H,W]."""
        known = batch["features"]
        described = super().described(batch)["features"][:, known.shape[1] :]
        return {"features": torch.cat([known, described], dim=1)}
