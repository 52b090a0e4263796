"""Libraries of the ``evaluation`` extra, imported when a measure needs them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from monai_xray2mri.errors import UsageError


def evaluation_library(name: str) -> Any:
    """Import a module of the ``evaluation`` extra.

    Args:
        name: the module, e.g. ``"skimage.metrics"``.

    Raises:
        UsageError: it is not installed; the message names the extra.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(
            f"Python package {name.partition('.')[0]}",
            "is needed by this measure and is not installed",
            remedy='Install the extra "evaluation": pip install "monai-xray2mri[evaluation]".',
        ) from error
