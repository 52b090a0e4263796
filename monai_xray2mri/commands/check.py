"""``xray2mri check``: the checks of a source without synthesis, as JSON."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from monai_xray2mri.commands.options import add_bundle, add_source, values_of
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.errors import ExitCode

if TYPE_CHECKING:
    from monai_xray2mri.core.system import System


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser, system: System
) -> None:
    """Add the sub-command ``check``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
        system: system of the bundle on the command line; the sub-command has its options.
    """
    parser = commands.add_parser(
        "check", parents=[common], help="what would happen, as JSON; no weights needed", description=DISCLAIMER
    )
    add_source(parser, system)
    add_bundle(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command and return the exit code."""
    from monai_xray2mri.systems.registry import default_bundle, system_of

    bundle = options.bundle or default_bundle()
    system = system_of(bundle)
    plan = system.plan(options.input, system.request(**values_of(options, system.request_options)), bundle)
    answer = {
        system.cases_word: [case.record() for case in plan.cases],
        "refused": [str(refusal) for refusal in plan.refusals],
        "remarks": list(plan.remarks),
    }
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return ExitCode.SOME_CASES_FAILED if plan.refusals else ExitCode.DONE
