"""``xray2mri import-weights``: copies published Zero-123 weights into the paper-size network."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_xray2mri.commands.options import add_bundle, named_path, show_progress
from monai_xray2mri.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from monai_xray2mri.networks.published.plan import ImportPlan

_DESCRIPTION = (
    "Convert a checkpoint of Zero-123, or of the image-conditioned Stable Diffusion that it started from, into initial "
    "weights for fine-tuning: U-Net, autoencoder and CLIP. No code in it is run. The result is no knee model yet."
)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``import-weights``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser(
        "import-weights", parents=[common], help="published weights to start training from", description=_DESCRIPTION
    )
    parser.add_argument("checkpoint", type=named_path, help="a .ckpt, .pt or .safetensors file with CompVis key names")
    parser.add_argument(
        "--output", type=named_path, required=True, help="file to write (.pt), or folder of model.pt; a .json beside it"
    )
    parser.add_argument(
        "--ema",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="take the moving average of the U-Net's weights, or the last ones (default: --ema)",
    )
    parser.add_argument("--half", action="store_true", help="store in half precision (half the disk)")
    parser.add_argument(
        "--size", default="paper", help="configuration of the bundle, configs/SIZE.json (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the added conditioning's random start (default: %(default)s)"
    )
    add_bundle(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command; print the path of the weights on stdout.

    Raises:
        Xray2MRIError: see :func:`monai_xray2mri.networks.published.plan.plan_import`.
    """
    from monai_xray2mri.networks.published.plan import plan_import
    from monai_xray2mri.networks.published.writer import write_state_dict
    from monai_xray2mri.systems.registry import default_bundle

    output = options.output if options.output.suffix == ".pt" else options.output / "model.pt"
    bundle = options.bundle or default_bundle()
    network = network_to_fill(bundle, options.size, options.seed)
    plan = plan_import(options.checkpoint, network, ema=options.ema, half=options.half)
    _require_room(output, plan)
    record = {"source": _source(options, plan), "network": _target(bundle, options, network), **_tensors(plan)}
    write_state_dict(output, plan.state, progress=show_progress(options))
    _write_record(output.with_suffix(".json"), record)
    if not options.quiet:
        kept = f"{len(plan.imported)} tensors imported, {len(plan.own)} of the network's own"
        print(f"xray2mri: layout {plan.layout}, {record['source']['unet']}; {kept}", file=sys.stderr)
    print(output)
    return ExitCode.DONE


def network_to_fill(bundle: Path, size: str, seed: int) -> Any:
    """The bundle's network in a size; parts that are imported are on the meta device, the others are initialized.

    Args:
        bundle: folder of the bundle.
        size: name of a size.
        seed: seed of the initialization.

    Raises:
        UsageError: the bundle has no configuration of that size.
    """
    import torch
    from monai.bundle import ConfigParser

    files = [bundle / "configs" / name for name in ("inference.json", f"{size}.json")]
    for file in files:
        if not file.is_file():
            what, remedy = f"bundle {bundle.name}", "Choose another --size or --bundle."
            raise UsageError(what, f"must hold configs/{file.name}", "no such file", remedy)
    parser = ConfigParser()
    parser.read_config([str(file) for file in files])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for added in ("guide", "place"):  # checkpoints lack these parts; they keep their initial weights
            parser.get_parsed_content(f"diffusion_def#{added}")
        with torch.device("meta"):
            for published in ("autoencoder_def", "encoder_def", "diffusion_def"):
                parser.get_parsed_content(published)
        return parser.get_parsed_content("network_def")


def _require_room(output: Path, plan: ImportPlan) -> None:
    import shutil

    if output.exists():
        raise UsageError(f"output {output.name}", "must not exist yet", "a file", "Choose another name.")
    folder = next(parent for parent in output.absolute().parents if parent.exists())
    needed = sum(tensor.numbers * tensor.dtype.itemsize for tensor in plan.state.values())
    free = shutil.disk_usage(folder).free
    if free < 1.01 * needed:
        found = f"{free / 1e9:.1f} of {needed / 1e9:.1f} GB free"
        raise UsageError(f"output {output.name}", "needs room on its disk", found, "Make room, or give --half.")


def _source(options: argparse.Namespace, plan: ImportPlan) -> dict[str, Any]:
    from monai_xray2mri.networks.published.plan import PUBLISHED_LATENT_SCALE, PUBLISHED_STEPS

    return {
        "file": options.checkpoint.name,
        "bytes": options.checkpoint.stat().st_size,
        "sha256": _digest(options.checkpoint, show_progress(options)),
        "layout": plan.layout,
        "unet": "moving average" if plan.ema else "last weights",
        "latent_scale": PUBLISHED_LATENT_SCALE,
        "steps": PUBLISHED_STEPS,
    }


def _target(bundle: Path, options: argparse.Namespace, network: Any) -> dict[str, Any]:
    from monai_xray2mri.core.identity import package_version

    return {
        "bundle": bundle.name,
        "size": options.size,
        "monai_xray2mri": package_version(),
        "latent_scale": round(float(network.latent_scale), 6),
        "steps": network.schedule.steps,
        "network_steps": network.schedule.network_steps,
        "precision": "float16" if options.half else "float32",
        "seed": options.seed,
    }


def _tensors(plan: ImportPlan) -> dict[str, Any]:
    parameters = sum(plan.state[name].numbers for name in plan.imported)
    return {"imported": {"tensors": len(plan.imported), "numbers": parameters}, "own": list(plan.own)}


def _digest(path: Path, progress: bool) -> str:
    import hashlib

    from tqdm import tqdm

    digest = hashlib.sha256()
    bar = tqdm(total=path.stat().st_size, desc="checksum", unit="B", unit_scale=True, disable=not progress)
    with path.open("rb") as file, bar:
        while block := file.read(2**22):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()


def _write_record(path: Path, record: dict[str, Any]) -> None:
    import json

    from monai_xray2mri.runtime.files import write_whole

    write_whole(path, (json.dumps(record, indent=2) + "\n").encode())
