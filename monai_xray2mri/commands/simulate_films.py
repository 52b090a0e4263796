"""``xray2mri simulate-films``: simulated films for training and testing the joint detector."""

from __future__ import annotations

import argparse

from monai_xray2mri.commands.options import named_path, show_progress
from monai_xray2mri.errors import ExitCode


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``simulate-films``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser(
        "simulate-films",
        parents=[common],
        help="simulated films to train the joint detector on",
        description="Simulates the films that are missing of a folder, several of each patient.",
    )
    parser.add_argument("directory", type=named_path, help="folder of the films")
    parser.add_argument("--training", type=int, default=0, metavar="N", help="patients to train on (default: none)")
    parser.add_argument("--unseen", type=int, default=0, metavar="N", help="patients to judge by (default: none)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command; print the folder of the films on stdout.

    Raises:
        UsageError: a film cannot be written.
    """
    from monai_xray2mri.knee.detection.training.films import simulate_films

    simulate_films(options.directory, options.training, options.unseen, show_progress(options))
    print(options.directory)
    return ExitCode.DONE
