"""``xray2mri label-app``: copies the MONAI Label app and the module for 3D Slicer into a folder."""

from __future__ import annotations

import argparse
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from monai_xray2mri.commands.options import named_path
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.errors import ExitCode

_DESCRIPTION = (
    "Writes the folder of a MONAI Label app, and in its folder slicer_module the module for 3D Slicer. "
    f"docs/label/slicer.md goes on from there. {DISCLAIMER}"
)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``label-app``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser(
        "label-app", parents=[common], help="the app for MONAI Label and 3D Slicer", description=_DESCRIPTION
    )
    parser.add_argument("--output", type=named_path, required=True, help="folder of the app: new, or empty")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command; print the folder of the app on stdout.

    Raises:
        UsageError: the folder is not empty, or cannot be written.
    """
    from monai_xray2mri.runtime.files import whole_directory

    source = Path(__file__).parents[1] / "label"
    ignored = shutil.ignore_patterns("__pycache__")
    with whole_directory(options.output) as draft:
        shutil.copytree(source / "app_folder", draft, dirs_exist_ok=True, ignore=ignored)
        shutil.copytree(source / "slicer_module", draft / "slicer_module", ignore=ignored)
    print(options.output)
    if not options.quiet:
        start = f"python -m monailabel.main start_server --app {options.output} --studies RADIOGRAPHS --host 127.0.0.1"
        print(f"xray2mri: start it with: {start}", file=sys.stderr)
        if find_spec("monailabel") is None:
            extra = (
                'MONAI Label is not installed here: pip install "monai-xray2mri[label]", in an environment of its own'
            )
            print(f"xray2mri: {extra}", file=sys.stderr)
    return ExitCode.DONE
