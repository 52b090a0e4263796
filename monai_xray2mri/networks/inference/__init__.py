"""Networks as they are computed while results are drawn: equal output, less time (docs/speed.md)."""

from monai_xray2mri.networks.inference.twin import inference_twin

__all__ = ["inference_twin"]
