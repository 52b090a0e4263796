"""Synthetic knee MR volumes from radiographs by conditional latent diffusion, for the MONAI platform.

Research only: what it makes is generated, can show what is not there and miss what is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monai_xray2mri.runtime.cuda_runtime import preload_cuda_runtime

if TYPE_CHECKING:
    from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI as Xray2MRI

__all__ = ["Xray2MRI"]

preload_cuda_runtime()  # before anything imports MONAI, which imports the Deploy SDK if that is installed


def __getattr__(name: str) -> Any:
    """Import the predictor when it is first asked for, so that light modules do not load torch."""
    if name == "Xray2MRI":
        from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI

        return Xray2MRI
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
