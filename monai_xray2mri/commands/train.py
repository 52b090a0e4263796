"""``xray2mri train``: runs the stages of training as ``monai.bundle run`` does, with a bundle's configurations."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from monai_xray2mri.commands.options import add_bundle, budget_minutes, named_path
from monai_xray2mri.commands.train_recipe import run_by_recipe
from monai_xray2mri.errors import ExitCode, UsageError
from monai_xray2mri.runtime.memory_pages import use_huge_pages

if TYPE_CHECKING:
    from monai.bundle import ConfigParser

STAGES: Final = ("autoencoder", "denoiser")
WEIGHTS: Final = {"autoencoder": "autoencoder.pt", "denoiser": "model.pt"}
"""File of weights that each stage writes to the output folder; ``model.pt`` is the whole network."""
SIZES: Final = {"compact": (), "paper": ("paper", "train_paper")}
"""Names of ``--config`` to the configurations that follow ``train.json``."""
PRECISIONS: Final = {"bf16": "$torch.bfloat16", "fp16": "$torch.float16", "fp32": "$None"}
_DESCRIPTION = (
    "Trains the autoencoder, then the denoiser (Wang 2024a, Algorithm 1), and writes autoencoder.pt and model.pt into "
    "the output folder, with checkpoints, losses and pictures. Started by torchrun it shares each step among the "
    "processes. --dry-run tells what a step costs and needs neither data nor a GPU."
)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``train``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser("train", parents=[common], help="train a bundle's networks", description=_DESCRIPTION)
    add_bundle(parser)
    parser.add_argument("--stage", choices=[*STAGES, "all"], default="all", help="(default: %(default)s)")
    data = parser.add_mutually_exclusive_group()
    data.add_argument("--data", type=named_path, help="training set: simulated, or the output of `xray2mri prepare`")
    data.add_argument("--on-the-fly", action="store_true", help="simulate knees while training; needs a GPU")
    parser.add_argument(
        "--validation", type=named_path,
        help="set with knees of the validation split to watch training by (default: --data, if it holds some)",
    )  # fmt: skip
    parser.add_argument("--output", type=named_path, help="folder of weights, checkpoints and logs")
    parser.add_argument(
        "--config", nargs="+", default=["compact"],
        help="compact, paper, a configuration of the bundle by name, or a JSON file; later ones win "
        "(default: compact)",
    )  # fmt: skip
    parser.add_argument("--iterations", type=int, help="steps of a stage (default: the configuration's)")
    parser.add_argument("--batch-size", type=int, help="slices of a step, over all micro-batches and processes")
    parser.add_argument("--accumulate", type=int, help="micro-batches that a process divides its part of a step into")
    parser.add_argument("--budget", help="time for all of it, e.g. 90s, 9m or 1.5h; ends cleanly, --resume goes on")
    parser.add_argument("--resume", action="store_true", help="go on from the output's checkpoint, if there is one")
    parser.add_argument("--initial-weights", type=named_path, help="whole weights (model.pt) to start from")
    parser.add_argument(
        "--precision",
        choices=list(PRECISIONS),
        help="of matrix products (default: bf16 where the device computes it, else fp32)",
    )
    parser.add_argument("--seed", type=int, help="of all that is drawn (default: 0)")
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="parameters, memory and arithmetic of a step, as JSON")
    parser.add_argument(
        "--recipe",
        help="a recipe of the bundle by name, or a JSON file: all stages in order, from wherever --output stands",
    )
    parser.set_defaults(run=run, unset=vars(parser.parse_args([])))


@dataclass(frozen=True)
class Plan:
    """The training that the options describe.

    Attributes:
        bundle: folder of the bundle.
        files: configurations that follow ``train.json``.
        overrides: values of top-level entries of the configuration.
        on_the_fly: whether knees are simulated during training.
        validation: whether there are validation knees.
        processes: number of processes that share a step.
    """

    bundle: Path
    files: tuple[str, ...]
    overrides: dict[str, Any]
    on_the_fly: bool
    validation: bool
    processes: int

    def configurations(self, stage: str) -> list[Path]:
        """Paths of the configurations of a stage, in order."""
        from monai_xray2mri.systems.registry import default_bundle
        from monai_xray2mri.training.configurations import configuration_files

        first = stage == "autoencoder"
        names = [*self.files, *["train_autoencoder"] * first]
        names += ["train_on_the_fly"] * self.on_the_fly + ["train_autoencoder_on_the_fly"] * (self.on_the_fly and first)
        names += ["validate"] * self.validation + ["validate_autoencoder"] * (self.validation and first)
        names += ["multi_gpu_train"] * (self.processes > 1)
        return configuration_files(self.bundle, names, default_bundle())

    def parser(self, stage: str) -> ConfigParser:
        """The configuration of a stage, read."""
        from monai_xray2mri.training.configured import read_configurations

        return read_configurations(self.configurations(stage), self.overrides)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command; print the path of the weights, or with ``--dry-run`` the costs as JSON, on stdout.

    Raises:
        UsageError: options contradict each other, or an optional package is missing.
        Xray2MRIError: an error of a stage.
    """
    clock = time.monotonic()
    use_huge_pages()
    if find_spec("ignite") is None:
        raise UsageError("training", "needs the extra bundle", "no ignite", "pip install monai-xray2mri[bundle]")
    if options.recipe is not None:
        return run_by_recipe(options)
    plan = _plan(options, clock)
    stages = _stages(plan, options.stage)
    if options.dry_run:
        return _dry_run(plan, stages, options.quiet)
    if plan.processes > 1 and len(stages) > 1:
        raise UsageError("option stage", "must name one stage under torchrun", "all")
    _check_output(options, stages)
    with _progress(options.quiet):
        for stage in stages:
            done, wanted = _run_stage(plan, stage)
            weights = options.output / WEIGHTS[stage]
            if done < wanted:
                if not options.quiet:
                    print(f"xray2mri: the budget ended stage {stage} at step {done} of {wanted}; --resume goes on",
                          file=sys.stderr)  # fmt: skip
                break
    if os.environ.get("RANK", "0") == "0":  # torchrun starts this command several times
        print(weights)
    return ExitCode.DONE


def _stages(plan: Plan, wanted: str) -> Sequence[str]:
    """The stages that are wanted; a bundle whose autoencoder has no weights has one stage.

    Raises:
        UsageError: an autoencoder without weights is to be trained.
    """
    import torch

    if wanted == "denoiser":
        return (wanted,)
    with torch.device("meta"):  # nothing is computed or kept
        autoencoder = plan.parser("denoiser").get_parsed_content("autoencoder_def")
    if next(autoencoder.parameters(), None) is not None:
        return STAGES if wanted == "all" else (wanted,)
    if wanted == "autoencoder":
        raise UsageError("stage autoencoder", "must have weights to train", type(autoencoder).__name__)
    return ("denoiser",)


def _plan(options: argparse.Namespace, clock: float) -> Plan:
    from monai_xray2mri.runtime.devices import choose_device
    from monai_xray2mri.systems.registry import default_bundle

    processes = int(os.environ.get("WORLD_SIZE", "1"))
    for name in ("iterations", "batch_size", "accumulate"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise UsageError(f"option {name.replace('_', '-')}", "must be at least 1", str(value))
    bundle = options.bundle or default_bundle()
    # A dry run computes the costs on a GPU, also on a machine without one.
    precision = options.precision or ("bf16" if options.dry_run else "")
    given = {
        "bundle_root": str(bundle.resolve()),
        "iterations": options.iterations,
        "batch_size": options.batch_size,
        "accumulate": options.accumulate,
        "seed": options.seed,
        "precision": PRECISIONS.get(precision),
        "initial_weights": options.initial_weights and str(options.initial_weights.resolve()),
        "minutes": options.budget and budget_minutes(options.budget),
        "clock": clock,
        "resume": options.resume,
    }
    validation = None
    if not options.dry_run:
        given |= _places(options)
        validation = _validation(options)
        given["validation_dir"] = validation and str(validation.resolve())
        if processes == 1:
            given["device"] = f"$torch.device('{choose_device(options.device)}')"
    return Plan(
        bundle=bundle,
        files=tuple(name for chosen in options.config for name in SIZES.get(chosen, (chosen,))),
        overrides={name: value for name, value in given.items() if value is not None},
        on_the_fly=options.on_the_fly,
        validation=validation is not None,
        processes=processes,
    )


def _places(options: argparse.Namespace) -> dict[str, str]:
    if options.output is None:
        raise UsageError("option output", "must name a folder", "nothing")
    if options.data is None and not options.on_the_fly:
        raise UsageError("training", "needs data", "none", "Give --data DIR or --on-the-fly.")
    places = {"output_dir": str(options.output.resolve())}
    return places if options.data is None else {**places, "dataset_dir": str(_store(options.data).resolve())}


def _store(folder: Path) -> Path:
    """The folder of the set: ``store`` below the output of ``xray2mri prepare``, else the folder itself."""
    return folder / "store" if (folder / "store" / "index.json").is_file() else folder


def _validation(options: argparse.Namespace) -> Path | None:
    from monai_xray2mri.knee.data.arrays import KneeStore

    if options.validation is not None or options.data is None:
        return options.validation and _store(options.validation)
    folder = _store(options.data)
    if (folder / "training").is_dir():  # a folder for each split, as pairs of feet have it
        return folder if (folder / "validation").is_dir() else None
    return folder if "validation" in KneeStore.open(folder).index.get("splits", ()) else None


def _check_output(options: argparse.Namespace, stages: Sequence[str]) -> None:
    for stage in stages:
        if not options.resume and (options.output / f"{stage}_checkpoint.pt").exists():
            remedy = "Add --resume to go on, or name another folder."
            raise UsageError(f"output folder {options.output.name}", "must not hold another run", stage, remedy)


@contextmanager
def _progress(quiet: bool) -> Iterator[None]:
    """Context that shows losses on stderr, unless ``quiet``."""
    logger, handler = logging.getLogger("monai_xray2mri.training"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("xray2mri: %(message)s"))
    before = logger.level
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def _run_stage(plan: Plan, stage: str) -> tuple[int, int]:
    """Run a stage with its configurations; return the number of finished steps and of all steps."""
    from monai_xray2mri.training.configured import run_configured

    metadata = plan.bundle / "configs" / "metadata.json"
    return run_configured(plan.configurations(stage), metadata, plan.overrides, stage)


def _dry_run(plan: Plan, stages: Sequence[str], quiet: bool) -> int:
    import torch

    from monai_xray2mri.training.dry_run import measure_step

    costs = []
    for stage in stages:
        costs.append(measure_step(plan.parser(stage), stage, processes=plan.processes))
        if not quiet:
            print("\n".join(costs[-1].lines()), file=sys.stderr)
    print(json.dumps({"torch": torch.__version__, "steps": [cost.as_json() for cost in costs]}, indent=2))
    return ExitCode.DONE
