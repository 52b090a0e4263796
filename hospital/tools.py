#!/opt/venv/bin/python
"""Entry point of the image, in place of the packager's ``tools``, which ends with 0 although the app has failed.

Without arguments it runs the app on the input folder, as the specification of MONAI Application Packages has it. Any
sub-command of ``xray2mri`` runs that, so ``serve`` is the worker. ``show``, ``extract``, ``env`` and ``help`` are the
specification's. Exit codes are the program's own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

MANIFESTS = ("HOLOSCAN_APP_MANIFEST_PATH", "HOLOSCAN_PKG_MANIFEST_PATH")
PARTS = {
    "app": "HOLOSCAN_APPLICATION",
    "models": "HOLOSCAN_MODEL_PATH",
    "docs": "HOLOSCAN_DOCS",
    "config": "HOLOSCAN_CONFIG_PATH",
}
EXPORT = Path("/var/run/holoscan/export")
USAGE = """usage: IMAGE                       run the app on $HOLOSCAN_INPUT_PATH
       IMAGE serve ...             the worker beside Orthanc
       IMAGE synthesize|check|...  any sub-command of xray2mri
       IMAGE show|extract|env|help"""


def command(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The program that arguments ask for.

    Args:
        arguments: of the container; none: the app.
        environment: its variables; those of mercure stand for the specification's where these are not set.
    """
    if arguments and not arguments[0].startswith("-"):
        return [sys.executable, "-m", "monai_xray2mri.cli", *arguments]
    source = environment.get("HOLOSCAN_INPUT_PATH") or environment.get("MERCURE_IN_DIR", "")
    target = environment.get("HOLOSCAN_OUTPUT_PATH") or environment.get("MERCURE_OUT_DIR", "")
    folders = ["-i", source, "-o", target, "-m", environment.get("HOLOSCAN_MODEL_PATH", "")]
    return [sys.executable, environment.get("HOLOSCAN_APPLICATION", "/opt/holoscan/app"), *folders, *arguments]


def run_for_mercure(program: Sequence[str], output: Path) -> int:
    """Run the app, then put its DICOM objects where mercure looks for them; returns the exit code.

    mercure sends the files ``*.dcm`` of the output folder itself and looks into no folder in it
    (``dcmsend +sd OUTPUT +sp '*.dcm'``). Each object is moved there under its path: ``knee_right_series_IM_0001.dcm``.

    Args:
        program: the app and its arguments.
        output: mercure's output folder.
    """
    child = subprocess.Popen(program)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: child.send_signal(number))
    code = child.wait()
    if code == 0:
        for file in sorted(output.rglob("*.dcm")):
            file.rename(output / "_".join(file.relative_to(output).parts))
    return code if code >= 0 else 128 - code


def show(environment: Mapping[str, str]) -> None:
    """Print the manifests."""
    for name in MANIFESTS:
        print(Path(environment[name]).read_text())


def extract(environment: Mapping[str, str], export: Path = EXPORT) -> None:
    """Copy app, models, documents, configuration and manifests to a folder that is mounted there."""
    for part, name in PARTS.items():
        place = Path(environment[name])
        if place.is_dir():
            shutil.copytree(place, export / part, dirs_exist_ok=True)
        elif place.is_file():
            (export / part).mkdir(parents=True, exist_ok=True)
            shutil.copy(place, export / part / place.name)
    for name in MANIFESTS:
        (export / "manifests").mkdir(parents=True, exist_ok=True)
        shutil.copy(environment[name], export / "manifests")


def main(arguments: Sequence[str]) -> int:
    """Do what a container was started for."""
    first = arguments[0] if arguments else ""
    if first == "help":
        print(USAGE)
    elif first == "show":
        show(os.environ)
    elif first == "extract":
        extract(os.environ)
    elif first == "env":
        for name in sorted(name for name in os.environ if name.startswith(("HOLOSCAN_", "XRAY2MRI_"))):
            if "TOKEN" not in name and "PASSWORD" not in name:
                print(f"{name}={os.environ[name]}")
    else:
        program = command(arguments, os.environ)
        runs_app = not arguments or first.startswith("-")
        if runs_app and os.environ.get("MERCURE_OUT_DIR"):
            return run_for_mercure(program, Path(os.environ["MERCURE_OUT_DIR"]))
        os.execv(program[0], program)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
