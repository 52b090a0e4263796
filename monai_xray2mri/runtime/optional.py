"""Libraries of the package's extras, imported when something needs them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from monai_xray2mri.errors import UsageError


def optional_library(name: str, extra: str = "evaluation") -> Any:
    """Import a module of an extra.

    Args:
        name: the module, e.g. ``"skimage.metrics"``.
        extra: the extra of the package that installs it.

    Raises:
        UsageError: it is not installed; the message names the extra.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(
            f"Python package {name.partition('.')[0]}",
            "is needed here and is not installed",
            remedy=f'Install the extra "{extra}": pip install "monai-xray2mri[{extra}]".',
        ) from error
