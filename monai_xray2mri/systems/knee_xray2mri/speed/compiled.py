"""A volume by compiled networks: ``torch.compile``, and with its mode ``reduce-overhead`` CUDA graphs on a GPU."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from monai_xray2mri.diffusion.precision import DTYPES
from monai_xray2mri.diffusion.samplers import Sampler, ddim
from monai_xray2mri.networks.inference import inference_twin
from monai_xray2mri.systems.knee_xray2mri.drawing import condition_of
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.systems.knee_xray2mri.speed.loops import Task


@torch.inference_mode()
def compiled_loop(task: Task, sampler: Sampler = ddim, **options: Any) -> Tensor:
    """As the package draws a volume, denoiser and decoder compiled when a network draws its first volume.

    Unlike the package's, threads share the sums of a layer, and all slices of a chunk are decoded together. Shapes that
    do not change are compiled once, so that the last chunk is filled up with copies of its last slice.

    Args:
        task: the volume.
        sampler: how z_0 follows from z_T.
        **options: of ``torch.compile``.

    Returns:
        [S,H,W] float32 in [-1,1].
    """
    noise, settings, images = task.noise(), task.settings, []
    network = compiled_twin(task.network, DTYPES[task.dtype], **options)
    like, chunk = network.null_context, min(task.chunk, task.slices)
    encoded = condition_of(task.network, task.view)
    with task.computing():
        for places in network.depths(task.slices).split(chunk):
            filled = torch.cat([places, places[-1:].expand(chunk - len(places))])
            condition = encoded.expand(chunk)
            model = network.bind(condition, filled.to(like), settings.guidance, settings.feature_guidance)
            latent = sampler(
                model,
                noise.initial(filled).to(like),
                network.schedule,
                settings.steps,
                settings.eta,
                lambda index, filled=filled: noise.step(index, filled).to(like),  # type: ignore[misc]
                lambda index: None,
            )
            images.append(network.decode(latent)[: len(places)].float().cpu())
    return torch.cat(images)[:, 0]


@lru_cache(maxsize=1)
def compiled_twin(network: SliceDiffusion, dtype: torch.dtype, **options: Any) -> SliceDiffusion:
    """A network's twin whose ``denoise`` and ``decode`` are compiled when they are first called.

    The cache of compiled code on disk is switched off, and the compiler runs in this process or as its child: a first
    volume tells what compiling costs.
    """
    import torch._inductor.config as inductor

    inductor.force_disable_caches, inductor.compile_threads = True, 1
    twin = inference_twin(network, dtype)
    for name in ("denoise", "decode"):
        setattr(twin, name, torch.compile(getattr(twin, name), **options))
    return twin
