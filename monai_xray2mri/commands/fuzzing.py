"""``xray2mri benchmark mutations``: fuzzing with thousands of damaged and unusual studies."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from monai_xray2mri.commands.options import show_progress
from monai_xray2mri.errors import ExitCode, UsageError


def add_command(kinds: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add ``mutations`` to the sub-command ``benchmark``.

    Args:
        kinds: the sub-parsers of ``benchmark``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = kinds.add_parser(
        "mutations",
        parents=[common],
        help="fuzzing: damaged and unusual studies",
        description="Fuzzing: each mutated study must end in a valid result or in a refusal that says why.",
    )
    parser.add_argument("--count", type=int, default=2000, help="studies (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the corpus (default: %(default)s)")
    parser.add_argument(
        "--whole-every", type=int, default=1, metavar="N", help="synthesize one of N usable studies (default: all)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run ``benchmark mutations``: a table on stderr, unless ``--quiet``, and JSON on stdout.

    Raises:
        UsageError: fewer than one study.
    """
    from tqdm import tqdm

    from monai_xray2mri.runtime.memory import peak_memory_mb
    from monai_xray2mri.simulation.knee.knee import simulate_radiograph
    from monai_xray2mri.simulation.knee.people.seeds import TEST
    from monai_xray2mri.systems.knee_xray2mri.fuzzing.harness import Corpus, Harness, timed, tiny_predictor
    from monai_xray2mri.systems.knee_xray2mri.fuzzing.table import count_outcomes, table

    if options.count < 1 or options.whole_every < 1:
        raise UsageError("options count and whole-every", "must be at least 1", "less")
    harness = Harness(Corpus(simulate_radiograph(TEST[0]), options.seed), tiny_predictor(), options.whole_every)
    memory = peak_memory_mb()
    studies = tqdm(range(options.count), desc="studies", unit="", disable=not show_progress(options))
    rows = list(timed(harness.run(studies)))
    lines = count_outcomes([outcome for outcome, _ in rows])
    if not options.quiet:
        print(table(lines), file=sys.stderr)
    problems = [asdict(outcome) for outcome, _ in rows if outcome.problems]
    answer = {
        "studies": len(rows),
        "seed": options.seed,
        "benign": sum(outcome.benign for outcome, _ in rows),
        "seconds": round(sum(seconds for _, seconds in rows), 1),
        "slowest": round(max(seconds for _, seconds in rows), 2),
        "memory_before_mb": round(memory),
        "memory_mb": round(peak_memory_mb()),
        "mutations": [asdict(line) for line in lines],
        "problems": problems,
    }
    print(json.dumps(answer, indent=2))
    return ExitCode.SOME_CASES_FAILED if problems else ExitCode.DONE
