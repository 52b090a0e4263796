"""``xray2mri synthesize``: makes results from a source, with the system of the bundle."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from monai_xray2mri.commands.options import add_bundle, add_source, named_path, values_of
from monai_xray2mri.core.options import add_options
from monai_xray2mri.core.system import OUTPUT_OPTIONS, Outputs
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.runtime.memory_pages import use_huge_pages

if TYPE_CHECKING:
    from monai_xray2mri.core.system import System


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser, system: System
) -> None:
    """Add the sub-command ``synthesize``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
        system: system of the bundle on the command line; the sub-command has its options.
    """
    parser = commands.add_parser("synthesize", parents=[common], help=system.summary, description=DISCLAIMER)
    add_source(parser, system)
    parser.add_argument("output", type=named_path, help="folder for one folder per result")
    add_bundle(parser)
    add_options(parser, system.sampling_options)
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")
    add_options(parser, OUTPUT_OPTIONS)
    parser.add_argument("--allow-partial", action="store_true", help="exit code 0 also if only some results were made")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command and return the exit code."""
    from monai_xray2mri.systems.registry import default_bundle, system_of
    from monai_xray2mri.systems.running import partial_failure, write_results

    use_huge_pages()
    bundle = options.bundle or default_bundle()
    system = system_of(bundle)
    predictor = system.predictor(bundle, options.device)
    sampling = predictor.resolve(**values_of(options, system.sampling_options))
    request = system.request(**values_of(options, system.request_options))
    plan = system.plan(options.input, request, bundle)
    outputs = Outputs(**values_of(options, OUTPUT_OPTIONS))
    written = list(write_results(system, predictor, plan, sampling, options.output, outputs, not options.quiet))
    for result in written:
        print(result.directory)
    failure = partial_failure(system, plan)
    if failure is not None:
        if not options.allow_partial:
            raise failure
        print(f"xray2mri: {failure}", file=sys.stderr)
    return ExitCode.DONE
