"""``xray2mri measure NAME``: what the simulator and the shipped small networks are judged by.

A measure is made on purpose, after a change of the simulator or of a network; ``xray2mri evaluate`` judges bundles.
The result goes to stdout.
"""

from __future__ import annotations

import argparse

from monai_xray2mri.commands import measure_networks, measure_simulator


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``measure``.

    Args:
        commands: where sub-commands are added.
        common: options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser(
        "measure",
        help="judge the simulator and the small networks",
        description="Judges the simulator or one of the shipped small networks. The result goes to standard output.",
    )
    names = parser.add_subparsers(dest="measure", required=True, metavar="NAME")
    measure_simulator.add_measures(names, common)
    measure_networks.add_measures(names, common)
