"""Diffusion: schedule, samplers, guidance, noise along depth, and what every method shares.

Example:
    >>> import torch
    >>> from monai_xray2mri.diffusion import NoiseSchedule, ddim
    >>> schedule = NoiseSchedule(1000, "cosine", "epsilon")
    >>> z_0 = ddim(lambda z_t, t: torch.zeros_like(z_t), torch.ones(1, 4, 8, 8), schedule, steps=10)
    >>> z_0.shape
    torch.Size([1, 4, 8, 8])
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = [
    "Condition",
    "DepthKernel",
    "LatentDiffusion",
    "NoiseSchedule",
    "Sampler",
    "SamplerSettings",
    "VolumeNoise",
    "classifier_free_guidance",
    "ddim",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Condition": "guidance",
        "DepthKernel": "depth_noise",
        "LatentDiffusion": "latent_diffusion",
        "NoiseSchedule": "schedule",
        "Sampler": "samplers",
        "SamplerSettings": "sampler_settings",
        "VolumeNoise": "depth_noise",
        "ddim": "samplers",
        "classifier_free_guidance": "guidance",
    },
)
