"""Weights of small networks that come with the package, as files beside the code that uses them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import TypeVar

import torch
from torch import nn

from monai_xray2mri.errors import WeightsError

Network = TypeVar("Network", bound=nn.Module)


def load_shipped(make: Callable[[], Network], room: str, file: str, name: str) -> Network:
    """A network with its shipped weights on the CPU, in evaluation mode and frozen.

    Args:
        make: makes the network, untrained.
        room: the package that the file lies in, e.g. ``__package__``.
        file: a state dict; floating point numbers may be in half precision.
        name: how messages call the network.

    Raises:
        WeightsError: the file is missing, damaged or of another architecture.
    """
    with torch.device("cpu"):  # also where the caller lays out networks on another device: this one is kept
        network = make()
    try:
        with (resources.files(room) / file).open("rb") as stream:
            state = torch.load(stream, map_location="cpu", weights_only=True)
        network.load_state_dict(
            {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
        )
    except Exception as error:  # zip, pickle and key errors alike mean that the file cannot be trusted
        raise WeightsError(
            f"weights {file}", f"must be those of the {name}", type(error).__name__, "Reinstall the package."
        ) from error
    return network.eval().requires_grad_(False)
