"""``xray2mri read-test``: experts grade volumes without being told which were generated."""

from __future__ import annotations

import argparse
import sys

from monai_xray2mri.commands.options import named_path
from monai_xray2mri.errors import ExitCode, UsageError

_DESCRIPTION = (
    "Shows pairs of an acquired and a generated volume on a page that this machine alone can reach, in random order "
    "and on random sides, asks for ten criteria from 1 to 10 and which one is generated, and writes a CSV. The same "
    "command goes on where a reader stopped. With --summary the CSV alone is read and its result printed."
)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``read-test``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser("read-test", parents=[common], help="a blinded reading", description=_DESCRIPTION)
    parser.add_argument("--real", type=named_path, help="folder of acquired volumes, CASE.nii.gz, .nrrd or .mha")
    parser.add_argument("--generated", type=named_path, help="folder of generated volumes of the same names")
    parser.add_argument("--scores", type=named_path, required=True, help="CSV of the answers; is made or continued")
    parser.add_argument("--reader", default="reader", help="who reads (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of order and sides (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="of the page (default: any that is free)")
    parser.add_argument("--summary", action="store_true", help="only print what the CSV says")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command; print the address of the page, or the summary.

    Raises:
        UsageError: an option is missing or wrong.
        InputRefused: the volumes of a pair differ in their grid.
    """
    from monai_xray2mri.evaluation.tables import markdown
    from monai_xray2mri.systems.mri_xdiffusion.evaluation.read_test.scores import ScoreFile, summary

    scores = ScoreFile(options.scores)
    if options.summary:
        if not scores.rows:
            raise UsageError("option scores", "must hold answers", "none")
        print("\n".join(markdown(table) for table in summary(scores.rows)))
        return ExitCode.DONE
    _ask(options, scores)
    print(options.scores)
    return ExitCode.DONE


def _ask(options: argparse.Namespace, scores: object) -> None:
    from monai_xray2mri.systems.mri_xdiffusion.evaluation.read_test.pairs import find_pairs
    from monai_xray2mri.systems.mri_xdiffusion.evaluation.read_test.server import ReadTestServer

    for name in ("real", "generated"):
        if getattr(options, name) is None:
            raise UsageError(f"option {name}", "must be given", "none", f"Name a folder: --{name} FOLDER.")
    pairs = find_pairs(options.real, options.generated, options.reader, options.seed)
    for pair in pairs:
        pair.check()
    with ReadTestServer(pairs, options.reader, scores, options.port) as server:  # type: ignore[arg-type]
        print(f"xray2mri: {len(pairs)} pairs, open {server.address} in a browser; Ctrl-C stops", file=sys.stderr)
        server.ask_all()
