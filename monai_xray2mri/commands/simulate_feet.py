"""``xray2mri simulate-feet``: pairs of photograph and radiograph of simulated feet, with known truth."""

from __future__ import annotations

import argparse

from monai_xray2mri.commands.options import named_path, show_progress
from monai_xray2mri.errors import ExitCode


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``simulate-feet``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser(
        "simulate-feet",
        parents=[common],
        help="photographs and radiographs of simulated feet",
        description="A folder for each foot: photograph from above, dorsoplantar radiograph, keypoints, angles, bones. "
        "Nobody in it is real. The same command again makes what is missing.",
    )
    parser.add_argument("--feet", type=int, required=True, help="how many")
    parser.add_argument("--output", type=named_path, required=True, help="folder of the feet")
    parser.add_argument(
        "--split", default="training", help="training (default), validation, calibration or test: no foot is in two"
    )
    parser.add_argument(
        "--visibility", type=float, default=0.5,
        help="0 to 1: how closely the skin follows the bones; at 0 the photograph tells nothing of the angles "
        "(default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--registration-mm", type=float, default=1.0,
        help="0 to 4: by how much the two pictures are apart (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=1, help="processes, one thread each (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command; print the folder of the feet on stdout.

    Raises:
        UsageError: see :func:`monai_xray2mri.simulation.foot.release.simulate_feet`.
    """
    from monai_xray2mri.simulation.foot.release import FeetSettings, feet_of, simulate_feet

    simulate_feet(
        options.output,
        feet_of(options.split, options.feet),
        FeetSettings(options.visibility, options.registration_mm),
        workers=options.workers,
        progress=show_progress(options),
    )
    print(options.output)
    return ExitCode.DONE
