"""``xray2mri simulate-set``: simulated knees as arrays for training."""

from __future__ import annotations

import argparse
from typing import Final

from monai_xray2mri.commands.options import named_path, show_progress
from monai_xray2mri.errors import ExitCode

SPLITS: Final = ("training", "validation")
_DESCRIPTION = (
    "Simulates knees into a training set (xray2mri train --data). The same command again makes the knees that are "
    "missing and leaves a complete set as it is."
)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``simulate-set``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser(
        "simulate-set", parents=[common], help="a training set of simulated knees", description=_DESCRIPTION
    )
    parser.add_argument("--output", type=named_path, required=True, help="folder of the set")
    parser.add_argument("--knees", type=int, default=800, help="number of knees (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=0, help="number of the first knee within the seeds of the split (default: 0)"
    )
    parser.add_argument("--split", choices=SPLITS, default="training", help="range of seeds (default: %(default)s)")
    parser.add_argument(
        "--visibility", type=float, default=0.5,
        help="0 to 1: how far cysts, chondrocalcinosis and attrition show in the radiographs (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=1, help="processes, one thread each (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command; print the folder of the set on stdout.

    Raises:
        Xray2MRIError: see :func:`monai_xray2mri.knee.data.simulated.simulate_training_set`.
    """
    from monai_xray2mri.knee.data.simulated import simulate_training_set
    from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES

    first = SEED_RANGES[options.split].start + options.seed
    simulate_training_set(
        options.output,
        range(first, first + options.knees),
        options.workers,
        split=options.split,
        visibility=options.visibility,
        progress=show_progress(options),
    )
    print(options.output)
    return ExitCode.DONE
