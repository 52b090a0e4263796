"""The command line ``xray2mri``: stdout is for asked data, stderr for people, ``report.json`` for programs.

Exit codes: see :class:`monai_xray2mri.errors.ExitCode`. Each sub-command is a module of
:mod:`monai_xray2mri.commands` and imports what needs torch only when it runs, so that ``--help`` and usage errors
answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from monai_xray2mri.commands import (
    benchmark,
    check,
    cohort,
    cohort_scale,
    evaluate,
    example_study,
    fit_template,
    import_weights,
    info,
    label_app,
    measure,
    prepare,
    read_test,
    report,
    serve,
    simulate,
    simulate_feet,
    simulate_films,
    simulate_set,
    synthesize,
    train,
    train_part,
)
from monai_xray2mri.commands.options import named_system
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.errors import ExitCode, Xray2MRIError, describe_unexpected
from monai_xray2mri.runtime.interruption import TERMINATED, Terminated, terminable

_NOBODY_READS = 141
"""Exit code of a program that SIGPIPE ended, as shells report it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command.

    Args:
        arguments: without the program's name; None takes those of the process.

    Returns:
        The exit code.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser(arguments).parse_args(arguments)
    try:
        # pydicom and the Deploy SDK, if it is installed, warn about things that users cannot act on
        with terminable(), quiet():
            code = int(options.run(options))
            sys.stdout.flush()
            return code
    except BrokenPipeError:  # who reads stdout has seen enough, as ``| head`` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more when it ends
        return _NOBODY_READS
    except Xray2MRIError as error:
        print(f"xray2mri: {error}", file=sys.stderr)
        return int(error.exit_code)
    except MemoryError:
        print("xray2mri: out of memory; nothing half-written was left", file=sys.stderr)
        return ExitCode.OUT_OF_MEMORY
    except Exception as error:  # its text may quote the input
        print(f"xray2mri: {describe_unexpected(error)}", file=sys.stderr)
        return ExitCode.UNEXPECTED
    except Terminated:
        print("xray2mri: terminated; nothing half-written was left", file=sys.stderr)
        return TERMINATED
    except KeyboardInterrupt:
        print("xray2mri: interrupted; nothing half-written was left", file=sys.stderr)
        return 130


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of all sub-commands; those that run a system offer the options of the one that is named."""
    parser = argparse.ArgumentParser(prog="xray2mri", description=f"Synthetic medical images. {DISCLAIMER}")
    parser.set_defaults(quiet=False)
    common = argparse.ArgumentParser(add_help=False)
    for place in (parser, common):  # before and behind the sub-command; behind it, silence leaves what was said before
        place.add_argument(
            "-q", "--quiet", action="store_true", default=argparse.SUPPRESS, help="no progress, only errors"
        )
    commands = parser.add_subparsers(dest="command", required=True)
    system = named_system(arguments)
    for module in (synthesize, check, cohort):
        module.add_command(commands, common, system)
    for module in (
        report,
        serve,
        example_study,
        simulate,
        prepare,
        train,
        evaluate,
        read_test,
        import_weights,
        label_app,
        info,
        benchmark,
        cohort_scale,
        simulate_set,
        simulate_feet,
        simulate_films,
        fit_template,
        train_part,
        measure,
    ):
        module.add_command(commands, common)
    return parser


if __name__ == "__main__":
    sys.exit(main())
