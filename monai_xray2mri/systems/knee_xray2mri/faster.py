"""Faster parts that a knee bundle may bring beside its weights: weights for few steps, and a small decoder.

======================================  ==============================================================================
file of the bundle                      what it holds
======================================  ==============================================================================
``models/few_steps/weights.pt``         the network without its autoencoder, tuned to few steps
                                        (:mod:`monai_xray2mri.training.few_steps`)
``models/small_decoder/weights.pt``     a :class:`~monai_xray2mri.networks.small_decoder.SmallDecoder`
``weights.json`` beside either          which autoencoder and latent scale it belongs to, and how it was made
======================================  ==============================================================================

``model.pt`` stays the only file of weights in ``models`` itself, as MONAI Label wants it
(:func:`~monai_xray2mri.core.bundles.require_one_model`). Where the files are, ``--fast`` and ``--decoder small`` are
offered; where they are not, these options are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch

from monai_xray2mri.diffusion.latent_diffusion import use_channels_last
from monai_xray2mri.errors import UsageError, WeightsError
from monai_xray2mri.networks.small_decoder import SmallDecoder, WithDecoder
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion

PAGE: Final = "docs/training/few_steps.md"
AUTOENCODER: Final = "autoencoder."
"""What the names of tensors begin with that the weights for few steps leave out."""


def autoencoder_digest(network: SliceDiffusion) -> str:
    """First 12 hexadecimal digits of the SHA-256 of the autoencoder's weights, by the names they have.

    Of weights rounded to 16 bits, as training writes them: a bundle in 32 bits knows the parts trained for it.
    """
    from monai_xray2mri.training.weights import weights_digest

    return weights_digest({name: value.half().float() for name, value in network.autoencoder.state_dict().items()})


@dataclass(frozen=True)
class Part:
    """A part on disk.

    Attributes:
        folder: with ``weights.pt`` and ``weights.json``.
        record: what the latter holds.
        sha256: of the former.
    """

    folder: Path
    record: Mapping[str, Any]
    sha256: str

    def state(self) -> dict[str, torch.Tensor]:
        """The tensors, in float32."""
        state = torch.load(self.folder / "weights.pt", map_location="cpu", weights_only=True)
        return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}

    def damaged(self, found: str) -> WeightsError:
        """The refusal of this part."""
        return WeightsError(
            f"weights {self.folder.name}",
            "must belong to the bundle's network",
            found,
            f"Restore models/{self.folder.name}, or remove the folder.",
        )


@dataclass
class FasterParts:
    """What a bundle brings; the networks are made when they are first asked for.

    Attributes:
        few_steps: weights for few steps; None: there are none.
        small_decoder: None: there is none.
    """

    few_steps: Part | None = None
    small_decoder: Part | None = None
    _made: dict[tuple[bool, bool], SliceDiffusion] = field(default_factory=dict, repr=False)

    @classmethod
    def of_bundle(cls, bundle: Path, network: SliceDiffusion) -> FasterParts:
        """The parts of a bundle.

        Args:
            bundle: its folder.
            network: with its weights.

        Raises:
            WeightsError: a part is damaged, or of another autoencoder.
        """
        found = {name: _part(bundle / "models" / name, network) for name in ("few_steps", "small_decoder")}
        return cls(found["few_steps"], found["small_decoder"])

    @property
    def steps(self) -> int:
        """Steps of ``--fast``; see :meth:`require_few_steps`."""
        return int(self.require_few_steps().record["steps"])

    def require_few_steps(self) -> Part:
        """The weights for few steps.

        Raises:
            UsageError: there are no weights for few steps.
        """
        if self.few_steps is None:
            raise UsageError(
                "option fast",
                "needs a bundle with weights for few steps",
                "none in models/few_steps",
                f"Leave the option out, or train them: {PAGE}.",
            )
        return self.few_steps

    def require_small_decoder(self) -> Part:
        """The small decoder.

        Raises:
            UsageError: there is none.
        """
        if self.small_decoder is None:
            raise UsageError(
                "option decoder",
                "must be one of the bundle's",
                "small, and none in models/small_decoder",
                f"Leave the option out, or train one: {PAGE}.",
            )
        return self.small_decoder

    def network(self, network: SliceDiffusion, *, fast: bool, small: bool) -> SliceDiffusion:
        """A network with the chosen parts in place of its own; what is not replaced is shared with it.

        Args:
            network: of the bundle.
            fast: with the weights for few steps.
            small: with the small decoder.

        Raises:
            UsageError: a part is not there.
            WeightsError: a part does not fit the network.
        """
        if not fast and not small:
            return network
        key = (fast, small)
        if key not in self._made:
            made = self._tuned(network) if fast else _sharing(network, *network.children())
            if small:
                made.autoencoder = self._decoder(network)
            self._made[key] = made.eval()
        return self._made[key]

    def record(self, *, fast: bool, small: bool) -> dict[str, str]:
        """SHA-256 of the parts that are used, for the provenance."""
        chosen = {"few_steps": self.few_steps if fast else None, "small_decoder": self.small_decoder if small else None}
        return {name: part.sha256 for name, part in chosen.items() if part is not None}

    def _tuned(self, network: SliceDiffusion) -> SliceDiffusion:
        part = self.require_few_steps()
        made = _sharing(network, network.autoencoder)
        state = part.state()
        wanted = {name for name in made.state_dict() if not name.startswith(AUTOENCODER)}
        try:
            if differing := wanted ^ state.keys():
                raise ValueError(f"{len(differing)} other names, e.g. {min(differing)}")
            made.load_state_dict(state, strict=False)
        except (ValueError, RuntimeError) as error:
            raise part.damaged(str(error).splitlines()[0]) from error
        return made

    def _decoder(self, network: SliceDiffusion) -> WithDecoder:
        part, autoencoder = self.require_small_decoder(), network.autoencoder
        try:
            decoder = SmallDecoder(
                autoencoder.latent_channels, factor=autoencoder.factor, **part.record["architecture"]
            )
            decoder.load_state_dict(part.state())
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise part.damaged(str(error).splitlines()[0]) from error
        use_channels_last(decoder)
        decoder = decoder.to(network.latent_scale.device).requires_grad_(False)
        return WithDecoder(autoencoder, decoder, float(network.latent_scale))


def _sharing(network: SliceDiffusion, *parts: torch.nn.Module) -> SliceDiffusion:
    """A copy of a network that shares these parts with it."""
    return deepcopy(network, {id(part): part for part in parts})


def _part(folder: Path, network: SliceDiffusion) -> Part | None:
    weights, described = folder / "weights.pt", folder / "weights.json"
    if not weights.is_file():
        return None
    try:
        record = json.loads(described.read_text())
        made_for, scale = record["autoencoder"], float(record["latent_scale"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Part(folder, {}, "").damaged(f"{described.name}: {type(error).__name__}") from error
    part = Part(folder, record, hashlib.sha256(weights.read_bytes()).hexdigest())
    if made_for != (ours := autoencoder_digest(network)):
        raise part.damaged(f"autoencoder {made_for} instead of {ours}")
    if abs(scale / float(network.latent_scale) - 1) > 1e-3:
        raise part.damaged(f"latent scale {scale:g} instead of {float(network.latent_scale):g}")
    return part
