"""Weights on disk: what a stage starts from and what it leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import ModelMixin
from torch import Tensor, nn

from monai_xray2mri.errors import UsageError, WeightsError
from monai_xray2mri.runtime.files import whole_file

_NAMED = 5

Network = TypeVar("Network", bound=nn.Module)


def write_saved(value: Any, path: Path) -> None:
    """``torch.save`` into a file that is whole or as it was.

    Raises:
        UsageError: it cannot be written.
    """
    with whole_file(path) as draft:
        try:
            # A stream, because torch.save writes the name of a file that it opens into its content.
            with draft.open("wb") as stream:
                torch.save(value, stream)
        except RuntimeError as error:  # torch.save's, where the disk is full
            raise OSError(0, "the disk may be full") from error


def save_state(module: nn.Module, path: str | Path, half: bool = False) -> None:
    """Write a state dict, whole or not at all; ``half`` stores floating point numbers in half precision."""
    stored = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    state = {name: value.half() if half and value.is_floating_point() else value for name, value in stored.items()}
    write_saved(state, Path(path))


def read_saved(path: str | Path) -> dict[str, Any]:
    """What a file of ``torch.save`` holds, read with ``weights_only``.

    Raises:
        WeightsError: there is none, it is damaged, or it holds something else than a dictionary.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"weights {path.name}", "must exist", "no such file")
    try:
        value = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # zip, pickle and end-of-file errors alike
        raise WeightsError(
            f"weights {path.name}", "must be an undamaged file of PyTorch tensors", type(error).__name__
        ) from error
    if not isinstance(value, dict):
        raise WeightsError(f"weights {path.name}", "must hold a dictionary", type(value).__name__)
    return value


def differences(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """In words, which tensors are missing, too many or of another shape; empty if none."""
    missing, extra = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    shaped = [
        f"{name} {tuple(given[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in sorted(given.keys() & wanted.keys())
        if given[name].shape != wanted[name].shape
    ]
    parts = (("missing", missing), ("not of this network", extra), ("of another shape", shaped))
    return "; ".join(
        f"{len(names)} {word}: {', '.join(names[:_NAMED])}{' ...' * (len(names) > _NAMED)}"
        for word, names in parts
        if names
    )


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """``load_state_dict`` that says what differs.

    Raises:
        WeightsError: tensors are missing, too many or of another shape.
    """
    if found := differences(state, module.state_dict()):
        remedy = "Give weights of this architecture, or the configuration that they were trained with."
        raise WeightsError(f"weights {name}", "must fit the network", found, remedy)
    module.load_state_dict(dict(state))


def load_weights(network: Network, path: str | Path | None, exchanged: Sequence[str] = ()) -> Network:
    """Start from the weights of a bundle (``model.pt``); None leaves the random start.

    Args:
        network: its own start stays where nothing is taken from the file.
        path: a state dict of the whole network.
        exchanged: modules, by their dotted names, that another method has in the same place (``denoiser.guide``): one
            that the file does not hold in this very form keeps its start, so that a method can begin from the weights
            of another that shares the rest.

    Raises:
        WeightsError: they are damaged or of another architecture.
    """
    if path is not None:
        state, own = read_saved(path), network.state_dict()
        for name in exchanged:
            given, wanted = (_within(name, tensors) for tensors in (state, own))
            if differences(given, wanted):
                state = {key: value for key, value in state.items() if key not in given} | wanted
        load_strictly(network, state, Path(path).name)
    return network


def _within(module: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a state dict that belong to a module."""
    return {name: value for name, value in state.items() if name.startswith(module + ".")}


def freeze_autoencoder(network: Network, path: str | Path, initial_weights: str | Path | None = None) -> Network:
    """Freeze the autoencoder (Wang 2024a, Algorithm 1), from the first stage's file if there is one.

    Args:
        network: any module with an ``autoencoder``; loaded from ``initial_weights`` if they are given.
        path: what the first stage wrote.
        initial_weights: whole weights, which hold an autoencoder too.

    Raises:
        WeightsError: neither is there, or the file does not fit.
    """
    autoencoder: Any = network.autoencoder
    if Path(path).is_file():
        load_strictly(autoencoder, read_saved(path), Path(path).name)
    elif initial_weights is None:
        remedy = "Train the first stage before, or start from whole weights (initial_weights)."
        raise WeightsError("autoencoder", "must be trained before the denoiser", f"no {Path(path).name}", remedy)
    autoencoder.requires_grad_(False).eval()
    return network


def scale_latents(network: Network, deviation: float | None) -> Network:
    """Set the latent scale so that latents of this standard deviation get unit variance; None leaves it.

    Args:
        network: any module with a ``latent_scale``.
        deviation: standard deviation of the unscaled latents of the training set.
    """
    if deviation is not None:
        scale: Any = network.latent_scale
        scale.fill_(1 / deviation)
    return network


def train_only(network: Network, names: Sequence[str]) -> Network:
    """Freeze all of a network but some modules, by their dotted names; none named: leave it as it is.

    Raises:
        UsageError: there is no such module, or it has no parameters.
    """
    parameters = dict(network.named_parameters())
    for name in names:
        if not _within(name, parameters):
            raise UsageError("option train_only", "must name modules of the network with parameters", name)
    if names:
        wanted = {part for name in names for part in _within(name, parameters)}
        for part, parameter in parameters.items():
            parameter.requires_grad_(parameter.requires_grad and part in wanted)
    return network


def trained_parameters(module: nn.Module) -> list[nn.Parameter]:
    """Parameters for the optimizer: those that are not frozen."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def weights_digest(state: Mapping[str, Tensor]) -> str:
    """First 12 hexadecimal digits of the SHA-256 of some tensors."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        # A copy, because PyTorch calls a tensor contiguous whatever the stride of a side of length 1.
        value = state[name].detach().cpu().clone(memory_format=torch.contiguous_format)
        digest.update(value.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]


def checkpoint_activations(module: nn.Module, wanted: bool) -> nn.Module:
    """Have a module's diffusers networks compute activations again in the backward pass instead of keeping them.

    The gradients are the same; a step costs about a third more arithmetic and a fraction of the memory.
    """
    parts: list[Any] = [part for part in module.modules() if isinstance(part, ModelMixin)]
    for part in parts if wanted else ():
        part.enable_gradient_checkpointing()
    return module
