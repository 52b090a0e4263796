"""Networks: autoencoder, embeddings of a condition, denoiser; below ``published/`` the import of published weights.

Example:
    >>> import torch
    >>> from monai_xray2mri.networks import DepthEmbedding, FeatureEmbedding, SliceDenoiser
    >>> denoiser = SliceDenoiser(DepthEmbedding(192), FeatureEmbedding(61, 192))
    >>> latent, tokens = torch.zeros(2, 4, 32, 32), torch.zeros(2, 64, 64)
    >>> t, depth, features = torch.tensor([9, 9]), torch.tensor([0.0, 1.0]), torch.zeros(2, 61)
    >>> denoiser(latent, t, latent, tokens, depth, features).shape
    torch.Size([2, 4, 32, 32])
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = [
    "AdaptiveWeightEmbedding",
    "ClipImageEncoder",
    "DepthEmbedding",
    "FeatureEmbedding",
    "ImageEncoder",
    "SliceAutoencoder",
    "SliceDenoiser",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "AdaptiveWeightEmbedding": "adaptive_weight",
        "ClipImageEncoder": "clip",
        "DepthEmbedding": "condition",
        "FeatureEmbedding": "condition",
        "ImageEncoder": "condition",
        "SliceAutoencoder": "autoencoder",
        "SliceDenoiser": "denoiser",
    },
)
