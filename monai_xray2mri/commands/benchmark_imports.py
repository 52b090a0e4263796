"""``xray2mri benchmark imports``: what each command loads before it works, held against stated limits.

A module that is imported where nobody needs it costs time at every start and is hard to see. Times depend on the
machine and on what else it does; the number of modules does not. So the limits are numbers of modules, and packages
that a command must not load at all. CPU seconds stand beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from monai_xray2mri.errors import ExitCode, Xray2MRIError

_HEAVY: Final = ("monai", "ignite", "matplotlib", "pandas")
_NETWORKS: Final = ("torch", "diffusers", "transformers", "scipy", "sympy")
_WRITERS: Final = ("highdicom", "SimpleITK")
_REFERENCE: Final = "import torch; from diffusers import AutoencoderKL, UNet2DConditionModel"
_STOP_AT_FIRST_STEP: Final = """
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
def stop(*_, **__):
    raise SystemExit(0)
SliceDiffusion.denoise = stop
"""
_CHILD: Final = """
import json, sys, time
{work}
found = {{"modules": sorted(sys.modules), "cpu_seconds": time.process_time()}}
print("\\n" + json.dumps(found))
"""


@dataclass(frozen=True)
class Start:
    """A command, and what it may load.

    Attributes:
        title: what it does.
        arguments: of ``xray2mri``; ``{study}`` and ``{output}`` are replaced.
        modules: how many modules it may load.
        absent: packages that it must not load.
        code: Python that runs in place of the command.
        before: Python that runs before it.
    """

    title: str
    arguments: Sequence[str] = ()
    modules: int = 10_000
    absent: Sequence[str] = ()
    code: str = ""
    before: str = ""

    def source(self, study: str, output: str) -> str:
        """Python that does the work of the process that is measured."""
        if self.code:
            return self.code
        arguments = [argument.format(study=study, output=output) for argument in self.arguments]
        return (
            f"{self.before}\nfrom monai_xray2mri.cli import main\ntry:\n    code = main({arguments!r})\n"
            "except SystemExit as ended:\n    code = ended.code\nassert not code, code"
        )


STARTS: Final[Mapping[str, Start]] = {
    "help": Start("xray2mri --help", ["--help"], 260, (*_HEAVY, *_NETWORKS, "pydicom", "numpy")),
    "check": Start("check of a film", ["check", "{study}"], 1700, (*_HEAVY, *_NETWORKS[1:], *_WRITERS)),
    "synthesize": Start(
        "synthesis: one step, two slices",
        ["synthesize", "{study}", "{output}", "--side", "R", "--slices", "2", "--steps", "1", "-q"],
        4300,
        (*_HEAVY, "skimage"),
    ),
    "first_step": Start(
        "a synthesis to its first step",
        ["synthesize", "{study}", "{output}", "--side", "R", "-q"],
        4000,
        (*_HEAVY, "skimage"),
        before=_STOP_AT_FIRST_STEP,
    ),
    "worker": Start("the worker beside Orthanc", modules=750, absent=(*_HEAVY, *_NETWORKS),
                    code="import monai_xray2mri.hospital.worker, monai_xray2mri.hospital.maker"),
    "cohort": Start("a cohort's engine", modules=650, absent=(*_HEAVY, *_NETWORKS),
                    code="import monai_xray2mri.cohort.work, monai_xray2mri.cohort.engine"),
    "reference": Start("torch and diffusers' model classes alone", code=_REFERENCE),
}  # fmt: skip
"""What is measured, in this order. The limits leave a tenth for what new versions of libraries bring."""
BARS: Final[Mapping[tuple[str, str | None], tuple[str, float]]] = {
    ("check", None): ("check of a film, CPU s", 2.5),
    ("first_step", "reference"): ("a synthesis to its first step, over torch and diffusers' classes", 1.3),
}
"""CPU seconds of a start, or their ratio to those of another, to what they are held against; they fail nothing."""


@dataclass(frozen=True)
class Loaded:
    """What a process loaded.

    Attributes:
        modules: how many modules.
        cpu_seconds: of the process, its work included.
        packages: package to the number of its modules, the largest first.
        limit: of the modules.
        refused: packages that were loaded although they must not be.
    """

    modules: int
    cpu_seconds: float
    packages: Mapping[str, int] = field(repr=False)
    limit: int
    refused: tuple[str, ...]

    @property
    def kept(self) -> bool:
        """Whether it is within the limits."""
        return self.modules <= self.limit and not self.refused


def add_command(kinds: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the benchmark ``imports``.

    Args:
        kinds: the sub-parsers of ``benchmark``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = kinds.add_parser(
        "imports",
        parents=[common],
        help="what commands load at their start",
        description="Modules and CPU seconds of each command's start; exit code 1 if a limit is passed.",
    )
    parser.add_argument("--only", nargs="+", choices=list(STARTS), help="what to measure (default: all)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command: a table on stderr, unless ``--quiet``, and JSON on stdout; 1 if a limit is passed.

    Raises:
        Xray2MRIError: a process failed.
    """
    found = {}
    with TemporaryDirectory() as folder:
        study = example_study(Path(folder) / "study")
        for name in options.only or STARTS:
            found[name] = loaded(STARTS[name], study, Path(folder) / name)
            if not options.quiet:
                print(_line(STARTS[name], found[name]), file=sys.stderr)
    bars = list(_bars(found))
    if not options.quiet:
        for bar in bars:
            print(f"{bar['title']}: {bar['value']:.2f}, at most {bar['at_most']:g}: {bar['verdict']}", file=sys.stderr)
    answer: dict[str, Any] = {name: _record(one) for name, one in found.items()}
    print(json.dumps(answer | {"bars": bars}, indent=2))
    return ExitCode.DONE if all(one.kept for one in found.values()) else ExitCode.UNEXPECTED


def _bars(found: Mapping[str, Loaded]) -> Iterator[dict[str, Any]]:
    """What was found of the bars whose starts were measured."""
    from monai_xray2mri.evaluation.speed import Bar

    for (name, other), (title, most) in BARS.items():
        if name in found and (other is None or other in found):
            value = found[name].cpu_seconds / (1 if other is None else found[other].cpu_seconds)
            yield {"title": title, "value": value, "at_most": most, "verdict": Bar(most).verdict(value)}


def example_study(folder: Path) -> Path:
    """A study of one film to start commands on."""
    from monai_xray2mri.systems.knee_xray2mri.example_study import write_example_study

    write_example_study(folder)
    return folder


def loaded(start: Start, study: Path, output: Path) -> Loaded:
    """Run a command in a process of its own and ask what it loaded.

    Raises:
        Xray2MRIError: the process failed.
    """
    source = _CHILD.format(work=start.source(str(study), str(output)))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise Xray2MRIError(f"start of {start.title}", "must succeed", last[0])
    said = json.loads(done.stdout.rstrip().splitlines()[-1])
    packages = Counter(name.partition(".")[0] for name in said["modules"])
    return Loaded(
        len(said["modules"]),
        round(said["cpu_seconds"], 2),
        dict(packages.most_common()),
        start.modules,
        tuple(name for name in start.absent if name in packages),
    )


def _record(one: Loaded) -> dict[str, Any]:
    largest = dict(list(one.packages.items())[:12])
    return {
        "modules": one.modules,
        "limit": one.limit,
        "cpu_seconds": one.cpu_seconds,
        "must_not_be_loaded": list(one.refused),
        "largest": largest,
    }


def _line(start: Start, one: Loaded) -> str:
    said = "" if one.kept else f"  FAILS: {', '.join(one.refused) or 'too many modules'}"
    limit = f"of {one.limit:>5,}" if one.limit < Start.modules else ""
    return f"{start.title:<44} {one.modules:>6,} modules {limit:<9} {one.cpu_seconds:>6.2f} CPU s{said}"
