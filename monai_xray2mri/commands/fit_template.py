"""``xray2mri fit-template``: the template of simulated knees from a label map."""

from __future__ import annotations

import argparse

from monai_xray2mri.commands.options import named_path
from monai_xray2mri.errors import ExitCode


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``fit-template``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser(
        "fit-template",
        parents=[common],
        help="the simulator's knee shape from a label map",
        description="Fits a knee template to a label map of a right knee (docs/simulation/anatomy.md).",
    )
    parser.add_argument("--labels", type=named_path, required=True, help="NRRD, NIfTI ... with the template's labels")
    parser.add_argument("--output", type=named_path, help="file to write (default: the package's own template)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command; print the path of the template on stdout.

    Raises:
        InputRefused: the file is not a label map, or a structure is missing.
    """
    from monai_xray2mri.simulation.knee.anatomy.template import SHIPPED, fit_template, read_label_map

    output = options.output or SHIPPED
    fit_template(*read_label_map(options.labels)).save(output)
    print(output)
    return ExitCode.DONE
