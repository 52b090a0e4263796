"""``xray2mri info``: versions, devices and bundle, as JSON."""

from __future__ import annotations

import argparse
import json

from monai_xray2mri.commands.options import add_bundle
from monai_xray2mri.errors import ExitCode


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``info``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser("info", parents=[common], help="versions, devices and bundle, as JSON")
    add_bundle(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command and return the exit code."""
    import platform
    from importlib import metadata

    import torch

    from monai_xray2mri.core.identity import package_version
    from monai_xray2mri.systems.registry import default_bundle, system_names, system_of

    bundle = options.bundle or default_bundle()
    system = system_of(bundle)
    predictor = system.predictor(bundle)
    packages = ("torch", "monai", "diffusers", "pydicom", "highdicom", "SimpleITK", "numpy")
    answer = {
        "monai_xray2mri": package_version(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in packages},
        "systems": list(system_names()),
        "device": str(predictor.device),
        "threads": torch.get_num_threads(),
        "bundle": {"path": str(bundle), "system": system.name} | predictor.record(),
    }
    print(json.dumps(answer, indent=2))
    return ExitCode.DONE
