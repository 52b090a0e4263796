"""``xray2mri example-study``: the study of a simulated patient, for trying the app and the command line."""

from __future__ import annotations

import argparse
import sys

from monai_xray2mri.commands.options import named_path
from monai_xray2mri.errors import ExitCode


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``example-study``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser(
        "example-study",
        parents=[common],
        help="a simulated patient's study to try it all on",
        description="Writes the bilateral film of a simulated patient and one structured report of gradings per knee.",
    )
    parser.add_argument("--output", type=named_path, required=True, help="folder to write the study into")
    parser.add_argument("--seed", type=int, help="seed of the patient (default: one that no model was trained on)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command; print the folder of the study on stdout.

    Raises:
        Xray2MRIError: see :func:`monai_xray2mri.systems.knee_xray2mri.example_study.write_example_study`.
    """
    from monai_xray2mri.systems.knee_xray2mri.example_study import EXAMPLE_SEED, write_example_study

    write_example_study(options.output, EXAMPLE_SEED if options.seed is None else options.seed)
    if not options.quiet:
        print("xray2mri: example study of a simulated patient written", file=sys.stderr)
    print(options.output)
    return ExitCode.DONE
