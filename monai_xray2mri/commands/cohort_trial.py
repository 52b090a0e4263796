"""``xray2mri benchmark cohort``: what the engines of a cohort cost, how they grow, and what they survive."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from monai_xray2mri.commands.options import add_bundle, named_path
from monai_xray2mri.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from pydicom import Dataset

_RUNS: Final = ("bare", "processes", "local_1", "local_n", "ray_1", "ray_n", "killed")
_PATIENTS: Final = 20


def add_command(kinds: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add ``cohort`` to the sub-command ``benchmark``.

    Args:
        kinds: the sub-parsers of ``benchmark``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = kinds.add_parser(
        "cohort",
        parents=[common],
        help="engines of a cohort against a bare loop, and with workers killed",
        description="Does the same studies without an engine, in separate processes, with each engine, and while "
        "workers and the job are killed; compares times and files.",
    )
    parser.add_argument("--input", help="a cohort's input (default: copies of simulated patients' films)")
    parser.add_argument("--studies", type=int, default=200, help="copies, without --input (default: %(default)s)")
    parser.add_argument("--runs", nargs="+", choices=_RUNS, default=list(_RUNS), help="which (default: all)")
    parser.add_argument("--workers", type=int, default=2, help="of the runs _n and killed (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=10, help="workers that are killed (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=2, help="of the sampler; 0: the bundle's (default: %(default)s)")
    parser.add_argument("--slices", type=int, default=6, help="of a volume; 0: the bundle's (default: %(default)s)")
    parser.add_argument("--output", type=named_path, help="folder that keeps all (default: none is kept)")
    add_bundle(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run ``benchmark cohort``: a table on stderr, unless ``--quiet``, and JSON on stdout; code 8 if anything is wrong.

    Raises:
        UsageError: an option is out of range; the output is not empty; a run needs a library that is not installed.
    """
    for name, least in (("studies", 1), ("workers", 1), ("kills", 0), ("steps", 0), ("slices", 0)):
        if getattr(options, name) < least:
            raise UsageError(f"option {name}", f"must be at least {least}", str(getattr(options, name)))
    if options.output and options.output.exists() and any(options.output.iterdir()):
        raise UsageError("output folder", "must be empty", "files in it", "Choose another: each run begins anew.")
    from monai_xray2mri.cohort.trial import Trial, run_trial
    from monai_xray2mri.systems.registry import default_bundle

    with tempfile.TemporaryDirectory(prefix="xray2mri-cohort-") as scratch:
        folder = Path(options.output or scratch).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        source = options.input or str(_copies(folder / "films", options.studies))
        sampling = {name: getattr(options, name) for name in ("steps", "slices") if getattr(options, name)}
        trial = Trial(
            source, folder, (options.bundle or default_bundle()).resolve(), sampling, options.workers, options.kills,
            options.seed,
        )  # fmt: skip
        tell = (lambda text: None) if options.quiet else (lambda text: print(f"cohort: {text}", file=sys.stderr))
        found = run_trial(trial, options.runs, tell)
        (folder / "trial.json").write_text(json.dumps(found, indent=2) + "\n")
        if not options.quiet:
            print(table(found), file=sys.stderr)
        print(json.dumps(found, indent=2))
    return ExitCode.DONE if found["clean"] else ExitCode.SOME_CASES_FAILED


def _copies(folder: Path, studies: int) -> Path:
    """Write the films of simulated patients, each under as many names as it takes."""
    from monai_xray2mri.dicom.copies import as_other_study
    from monai_xray2mri.dicom.uids import deterministic_uid

    films = _films(folder.parent / "patients", min(studies, _PATIENTS))
    for number in range(studies):
        name = f"COPY{number:05d}"
        copied = as_other_study(films[number % len(films)], name, deterministic_uid("cohort trial", number), "film")
        (folder / name).mkdir(parents=True)
        copied.save_as(folder / name / "film.dcm", enforce_file_format=True)
    return folder


def _films(folder: Path, patients: int) -> list[Dataset]:
    from pydicom import dcmread

    from monai_xray2mri.systems.knee_xray2mri.example_study import EXAMPLE_SEED, write_example_study

    films: list[Dataset] = []
    for number in range(patients):
        write_example_study(folder / str(number), EXAMPLE_SEED + number)
        films.append(dcmread(folder / str(number) / "film.dcm"))
    return films


def table(found: dict[str, Any]) -> str:
    """What a trial found, for people."""
    lines = [f"{'studies, cases':<34} {found['studies']}, {found['cases']}"]
    lines += [f"{'plan':<34} {found['plan_seconds']} s"]
    for name, ran in found["runs"].items():
        killed = ", ".join(f"{count} {word}" for word, count in ran.get("kills", {}).items())
        wrong = [f"{count} {word}" for word in ("lost", "twice", "drafts") if (count := ran[word])]
        wrong += [f"{len(ran['differ'])} files differ"] if ran.get("differ") else []
        lines.append(
            f"{name:<34} {ran['seconds']:.1f} s, "
            + (f"{ran['cpu_seconds']:.1f} CPU s, " if "cpu_seconds" in ran else "")
            + f"{ran['results']} results"
            + "".join(f", {part}" for part in (killed, *wrong) if part)
        )
        lines += [
            f"{f'  memory around study {study}':<34} {at['parent']:.3f} GB, workers {at['workers']:.3f} GB"
            for study, at in ran.get("memory_gb", {}).items()
        ]
    for name, value in found["ratios"].items():
        lines.append(f"{name:<34} {100 * value:.1f} %" if "overhead" in name else f"{name:<34} {value:.2f} times")
    for name, value in found["cpu_ratios"].items():
        if "overhead" in name:
            lines.append(f"{name + ', CPU':<34} {100 * value:.1f} %")
    return "\n".join(lines)
