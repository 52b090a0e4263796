"""What a recipe writes of a knee bundle's weights for few steps (:mod:`monai_xray2mri.systems.knee_xray2mri.faster`).

A denoiser's stage with the configuration ``train_few_steps`` trains them (:mod:`monai_xray2mri.training.few_steps`);
:class:`FewStepWeights` writes them as a bundle takes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from monai_xray2mri.core.bundles import load_network_of
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.systems.knee_xray2mri.faster import AUTOENCODER, autoencoder_digest
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.training.recipe.stage import Progress, Turn
from monai_xray2mri.training.trained import read_network
from monai_xray2mri.training.weights import write_saved


def write_few_steps(network: SliceDiffusion, output: Path, steps: int, record: Mapping[str, Any]) -> None:
    """Write the weights of a tuned network for a bundle, and ``<output>.json``.

    Args:
        network: tuned; its autoencoder is that of the bundle.
        output: file of the weights.
        steps: that ``--fast`` takes.
        record: more to note beside them.

    Raises:
        UsageError: a file cannot be written.
    """
    state = {name: value for name, value in network.state_dict().items() if not name.startswith(AUTOENCODER)}
    half = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    write_saved({name: value.cpu().contiguous() for name, value in half.items()}, output)
    content = {
        "autoencoder": autoencoder_digest(network),
        "latent_scale": float(network.latent_scale),
        "steps": steps,
        **record,
    }
    write_whole(output.with_suffix(".json"), json.dumps(content, indent=2).encode() + b"\n")


class FewStepWeights:
    """Writes what a stage of few steps has trained as a bundle takes it; the last stage of a recipe.

    Args:
        folder: of ``weights.pt`` and ``weights.json``.
        weights: whole weights of the tuned network.
        bundle: whose network it is.
        configurations: of the network, behind ``train.json``.
        steps: that ``--fast`` takes.
    """

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        folder: str | Path,
        weights: str | Path,
        bundle: str | Path,
        configurations: Sequence[str] = (),
        steps: int = 4,
    ) -> None:
        self.output, self.weights, self.bundle = Path(folder) / "weights.pt", Path(weights), Path(bundle)
        self.configurations, self.steps = list(configurations), steps

    def progress(self) -> Progress:
        """Whether they are written."""
        return Progress(int(self.output.with_suffix(".json").is_file()), 1, "files")

    def work(self, turn: Turn) -> None:
        """Write them.

        Raises:
            Xray2MRIError: the weights do not fit, or a file cannot be written.
        """
        network: Any = read_network(self.weights, self.bundle, self.configurations, "cpu")
        digest = hashlib.sha256(self.weights.read_bytes()).hexdigest()
        write_few_steps(network, self.output, self.steps, {"trained_sha256": digest})
        turn.tell()


class BundleAutoencoder:
    """Writes the autoencoder of a bundle's weights as a stage of its own would leave it; the first stage of a recipe.

    Args:
        folder: of ``weights.pt``.
        bundle: with its weights.
    """

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, folder: str | Path, bundle: str | Path) -> None:
        self.output, self.bundle = Path(folder) / "weights.pt", Path(bundle)

    def progress(self) -> Progress:
        """Whether it is written."""
        return Progress(int(self.output.is_file()), 1, "files")

    def work(self, turn: Turn) -> None:
        """Write it.

        Raises:
            WeightsError: the bundle has no weights, or damaged ones.
            UsageError: the file cannot be written.
        """
        network = load_network_of(self.bundle, SliceDiffusion, "training/few_steps.md")
        write_saved(network.autoencoder.state_dict(), self.output)
        turn.tell()
