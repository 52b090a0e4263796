"""Reconstruction term of Wang 2024b, Algorithm 1: the predicted image through the frozen decoder (Eq. 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from monai_xray2mri.diffusion.latent_diffusion import LatentDiffusion


class WithNoisyLatents:
    """Another ``prepare_batch`` whose targets also hold z_t and t, from which the predicted z_0 follows.

    Args:
        prepare: e.g. a :class:`~monai_xray2mri.training.denoiser.ForwardDiffusion`; ``t`` is among its keyword
            arguments.
    """

    def __init__(self, prepare: Callable[..., tuple[Tensor, Any, tuple[()], dict[str, Tensor]]]) -> None:
        self.prepare = prepare

    def __call__(
        self, batch: dict[str, Tensor], device: Any = None, non_blocking: bool = False, **options: Any
    ) -> tuple[Tensor, tuple[Any, Tensor, Tensor], tuple[()], dict[str, Tensor]]:
        """(z_t, (targets, z_t, t), arguments, keyword arguments)."""
        noisy, targets, arguments, keywords = self.prepare(batch, device, non_blocking, **options)
        return noisy, (targets, noisy, keywords["t"]), arguments, keywords


class DiffusionAndReconstruction(nn.Module):
    """L_diff + weight x L_rec (Wang 2024b, Algorithm 1, second loop).

    L_rec compares D(z_0 predicted) with D(z_0) instead of the image itself: training sets of latents hold no images,
    and what the frozen autoencoder cannot draw is no fault of the denoiser. The paper gives no weight for the sum and
    decodes every image; decoding and its gradient cost several times the compact denoiser, so that a part of each batch
    can be decoded instead. With eps-prediction the error of z_0 grows without bound towards t = T (Eq. 4 solved for
    z_0), and L_rec with it; with v-prediction it does not.

    Args:
        network: its decoder and schedule are used; the decoder is neither trained nor put into the state dict.
        diffusion_loss: L_diff, of a prediction and the targets of the inner ``prepare_batch``.
        weight: of L_rec.
        decoded: images of a batch that are decoded, from its start; None decodes all, as the paper does.
    """

    def __init__(
        self, network: LatentDiffusion, diffusion_loss: nn.Module, weight: float = 1.0, decoded: int | None = None
    ) -> None:
        super().__init__()
        self._network = [network]  # in a list, so that it does not become a submodule
        self.diffusion_loss, self.weight, self.decoded = diffusion_loss, weight, decoded

    def forward(self, prediction: Tensor, targets: tuple[tuple[Tensor, ...], Tensor, Tensor]) -> Tensor:
        """Loss of a prediction [B,C,h,w] against the targets of :class:`WithNoisyLatents`."""
        inner, noisy, t = targets
        loss: Tensor = self.diffusion_loss(prediction, inner)
        return loss + self.weight * self.reconstruction(prediction, inner[0], noisy, t)

    def reconstruction(self, prediction: Tensor, wanted: Tensor, noisy: Tensor, t: Tensor) -> Tensor:
        """L_rec: mean squared difference of the decoded z_0 of prediction and wanted, both [B,C,h,w] (Eq. 6)."""
        (network,), some = self._network, slice(None, self.decoded)
        noisy, t = noisy[some].float(), t[some]
        predicted, true = (network.schedule.split(v[some].float(), noisy, t)[0] for v in (prediction, wanted))

        def drawn(latent: Tensor) -> Tensor:
            # Not LatentDiffusion.decode: where its clamp acts there would be no gradient.
            return network.autoencoder.decode(latent / network.latent_scale)

        with torch.no_grad():
            target = drawn(true)
        return (drawn(predicted) - target).square().mean()
