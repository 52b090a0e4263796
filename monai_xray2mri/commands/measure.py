"""``xray2mri measure NAME``: measures of the quality of the simulator and of the shipped small networks.

Developers run a measure after a change of the simulator or of a network; users evaluate bundles with
``xray2mri evaluate``. The result goes to stdout.
"""

from __future__ import annotations

import argparse

from monai_xray2mri.commands import measure_networks, measure_simulator


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``measure``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser(
        "measure",
        parents=[common],
        help="judge the simulator and the small networks",
        description="Judges the simulator or one of the shipped small networks. The result goes to standard output.",
    )
    names = parser.add_subparsers(dest="measure", required=True, metavar="NAME")
    measure_simulator.add_measures(names, common)
    measure_networks.add_measures(names, common)
