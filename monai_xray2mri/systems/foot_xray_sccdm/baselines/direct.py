"""The same U-Net without diffusion: one call gives the radiograph. Trained for the squared error, or as a generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from monai_xray2mri.diffusion.precision import computing_in
from monai_xray2mri.systems.foot_xray_sccdm.difference import radiograph_of
from monai_xray2mri.systems.foot_xray_sccdm.network import DifferenceDiffusion
from monai_xray2mri.systems.foot_xray_sccdm.refinement import Refinement
from monai_xray2mri.training.denoiser import ForwardDiffusion


class DirectRadiograph(DifferenceDiffusion):
    """A photograph to the radiograph in one call: nothing is drawn, the network sees zeros in the place of d_t.

    Its arguments are those of :class:`~monai_xray2mri.systems.foot_xray_sccdm.network.DifferenceDiffusion`, so that a
    configuration changes the name of the class alone; schedule and sampler stand idle.
    """

    stochastic: ClassVar[bool] = False

    def latent_of(self, photograph: Tensor) -> Tensor:
        """Scaled latent [B,C,h,w] of the target of grey photographs [B,1,H,W] in [-1,1]; gradients flow."""
        condition = self.condition(photograph)
        start = torch.zeros(len(photograph), dtype=torch.long, device=photograph.device)
        return self.given(torch.zeros_like(condition.image_latent), start, condition).prediction.float()

    def estimate(self, photograph: Tensor) -> Tensor:
        """Radiographs [B,1,H,W] of grey photographs [B,1,H,W], both in [-1,1]; gradients flow."""
        target: Tensor = self.autoencoder.decode(self.latent_of(photograph) / self.latent_scale)
        return radiograph_of(target, photograph) if self.difference else target

    @torch.inference_mode()
    def radiographs(
        self,
        photographs: Tensor,
        generators: Sequence[torch.Generator],
        *,
        refinement: Refinement | None = None,
        dtype: torch.dtype = torch.float32,
        progress: Callable[[int], object] | None = None,
        **settings: object,
    ) -> Tensor:
        """See the base class; of the rest ``dtype`` alone matters."""
        device = self.latent_scale.device
        with computing_in(dtype, device):
            return torch.cat([self.estimate(few.to(device)) for few in photographs.split(1)]).clamp(-1, 1)


class RegressionBatch(ForwardDiffusion):
    """MONAI's ``prepare_batch`` for a network that tells the target itself from zeros; dropping is off."""

    def __call__(
        self, batch: dict[str, Tensor], device: Any = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, tuple[Tensor, Tensor], tuple[()], dict[str, Tensor]]:
        """(zeros, (target, weight), no arguments, keyword arguments of the module); see the base class."""
        moved = {name: value.to(device, non_blocking=non_blocking) for name, value in batch.items()}
        z_0, image_latent = self.latents(moved)
        t, _eps, keep, known = (value.to(z_0.device) for value in self.draw(z_0))
        given, weight = self.given(moved, z_0, image_latent, torch.ones_like(keep), torch.ones_like(known))
        return torch.zeros_like(z_0), (z_0, weight), (), given | {"t": torch.zeros_like(t)}
