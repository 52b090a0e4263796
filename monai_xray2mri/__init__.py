"""Synthetic medical images by conditional latent diffusion, for the MONAI platform.

Research only: what it makes is generated, can show what is not there and miss what is.

Example::

    from monai_xray2mri import load

    result = load("bundle/knee_xray2mri")("knee.dcm", samples=8, seed=0)
    result.volume.voxels  # [slice, row, column], 0..1
    result.save("out/")  # what `xray2mri synthesize` writes
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from monai_xray2mri.runtime.cuda_runtime import preload_cuda_runtime

if TYPE_CHECKING:
    from monai_xray2mri.simulation.knee.knee import simulate_knee as simulate_knee
    from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI as Xray2MRI
    from monai_xray2mri.systems.registry import load as load

    __version__: str

__all__ = ["Xray2MRI", "__version__", "load", "simulate_knee"]

_PLACES = {
    "Xray2MRI": "monai_xray2mri.systems.knee_xray2mri.predictor",
    "load": "monai_xray2mri.systems.registry",
    "simulate_knee": "monai_xray2mri.simulation.knee.knee",
}

preload_cuda_runtime()  # before anything imports MONAI, which imports the Deploy SDK if that is installed


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that light modules do not load torch."""
    if name == "__version__":
        from monai_xray2mri.core.identity import package_version

        return package_version()
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names."""
    return __all__
