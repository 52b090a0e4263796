"""``xray2mri cohort-scale``: what a cluster would do with a cohort, from times that were measured."""

from __future__ import annotations

import argparse
import dataclasses
import json

from monai_xray2mri.cohort.cluster import Cluster
from monai_xray2mri.errors import ExitCode


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``cohort-scale``; its options are the fields of the model's ``Cluster``."""
    parser = commands.add_parser(
        "cohort-scale", parents=[common], help="time, cost and lost work of a cohort on many nodes, by a model"
    )
    parser.add_argument("--studies", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--on-nodes", type=int, nargs="+", default=[1, 10, 100, 1_000], help="numbers of nodes")
    parser.add_argument("--seed", type=int, default=0)
    for field in dataclasses.fields(Cluster):
        if field.name == "nodes":
            continue
        flag = "--" + field.name.replace("_", "-")
        if field.type == "bool":
            parser.add_argument(flag, action="store_true", help="free workers take the next study, as with Ray")
        else:
            kind = int if field.type == "int" else float
            parser.add_argument(flag, type=kind, default=field.default, help=f"default {field.default:g}")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command and return the exit code."""
    from monai_xray2mri.cohort.scale import table

    names = [field.name for field in dataclasses.fields(Cluster) if field.name != "nodes"]
    cluster = Cluster(**{name: getattr(options, name) for name in names})
    rows = list(table(cluster, options.studies, options.on_nodes, options.seed))
    print(json.dumps(rows, indent=2))
    return ExitCode.DONE
