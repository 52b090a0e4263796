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
    from monai_xray2mri.systems.knee_xray2mri.plan import plan_study, read_knee_study

    plan = plan_study(
        read_knee_study(options.input),
        side=chosen_side(options),
        features=chosen_features(options),
        oai_table=options.oai_table,
        assume_spacing=options.assume_spacing,
        force=options.force,
        estimate=options.estimate,
    )
    knees = [
        {
            "side": case.side.word,
            "side_source": case.radiograph.sides_source,
            "radiograph": case.radiograph.name,
            "spacing_mm": case.radiograph.spacing,
            "spacing_source": case.radiograph.spacing_source,
            "region_method": case.roi.method,
            "confidence": case.roi.confidence,
            "prosthesis": case.roi.prosthesis,
            "forced": case.forced,
            "features_source": case.grading.source,
            "features": dict(case.grading.grades),
            "remarks": list(dict.fromkeys((*case.remarks, *case.roi.remarks, *case.grading.remarks))),
        }
        for case in plan.cases
    ]
    answer = {"knees": knees, "refused": [str(refusal) for refusal in plan.refusals], "remarks": list(plan.remarks)}
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return ExitCode.SOME_CASES_FAILED if plan.refusals else ExitCode.DONE
