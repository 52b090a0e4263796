"""``xray2mri check``: what would happen to a study, as JSON."""

from __future__ import annotations

import argparse
import json

from monai_xray2mri.commands.options import RED_LINE, add_study, chosen_features, chosen_side
from monai_xray2mri.errors import ExitCode


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``check``.

    Args:
        commands: where sub-commands are added.
        common: options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser(
        "check", parents=[common], help="what would happen, as JSON; no weights needed", description=RED_LINE
    )
    add_study(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carry the sub-command out; returns the exit code."""
    from monai_xray2mri.core.bundles import configuration
    from monai_xray2mri.systems.knee_xray2mri.plan import plan_study, read_knee_study
    from monai_xray2mri.systems.registry import default_bundle

    plan = plan_study(
        read_knee_study(options.input),
        region_mm=float(configuration(default_bundle())["network_def"]["region_mm"]),
        side=chosen_side(options),
        features=chosen_features(options),
        oai_table=options.oai_table,
        assume_spacing=options.assume_spacing,
        force=options.force,
        estimate=options.estimate,
    )
    answer = {
        "knees": [case.record() for case in plan.cases],
        "refused": [str(refusal) for refusal in plan.refusals],
        "remarks": list(plan.remarks),
    }
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return ExitCode.SOME_CASES_FAILED if plan.refusals else ExitCode.DONE
