"""What the app is told: options of every MONAI Deploy app, and those of the bundle's system, each with a variable."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_xray2mri.core.options import Option, add_options
from monai_xray2mri.core.system import OUTPUT_OPTIONS, Outputs, System
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.errors import WeightsError

LOG_LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "CRITICAL")
DEVICE = Option("device", str, "auto, cuda, mps or cpu", "auto", metavar="NAME")
ALLOW_PARTIAL = Option(
    "allow_partial", bool, "end with code 0 instead of 8 if one case was refused and another written", default=False
)


@dataclass(frozen=True)
class Settings:
    """How the app is to run.

    Attributes:
        input: folder of the study.
        output: folder of the results.
        bundle: folder of the MONAI Bundle.
        request: values of the system's ``request_options``.
        sampling: values of the system's ``sampling_options``.
        outputs: what is written beside each result.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.
        allow_partial: a study of which one case was refused and another written ends with exit code 0.
        log_level: how much is logged.
    """

    input: Path
    output: Path
    bundle: Path
    request: Mapping[str, Any]
    sampling: Mapping[str, Any]
    outputs: Outputs
    device: str
    allow_partial: bool
    log_level: str


def read_settings(arguments: Sequence[str]) -> Settings:
    """Read options and environment variables; options win.

    Args:
        arguments: the command line without the program.

    Raises:
        SystemExit: with code 2 and a message for an unknown or malformed option, with code 0 for ``--help``.
    """
    bundle = find_bundle(_platform_parser(add_help=False).parse_known_args(arguments)[0].model)
    system = _system(bundle)
    values = vars(_parser(system).parse_args(arguments))
    return Settings(
        input=values["input"],
        output=values["output"],
        bundle=bundle,
        request={option.name: values[option.name] for option in system.request_options},
        sampling={option.name: values[option.name] for option in system.sampling_options},
        outputs=Outputs(**{option.name: values[option.name] for option in OUTPUT_OPTIONS}),
        device=values["device"],
        allow_partial=values["allow_partial"],
        log_level=values["log_level"],
    )


def find_bundle(model: Path | None) -> Path:
    """The folder of the bundle.

    Args:
        model: the bundle itself, or the folder of models of a MONAI Application Package, which holds it as a
            sub-folder; None = ``models`` in the current folder, if there is one, else the bundle of the package.

    Returns:
        The bundle, or ``model`` if it holds none (loading it says then what is missing).
    """
    from monai_xray2mri.systems.registry import DEFAULT_BUNDLE, default_bundle

    if model is None:
        model = Path("models") if Path("models").is_dir() else default_bundle()
    if (model / "configs").is_dir():
        return model
    usual = model / DEFAULT_BUNDLE
    inside = [usual] if (usual / "configs").is_dir() else sorted(model.glob("*/configs/.."))
    return inside[0].resolve() if len(inside) == 1 else model


def _system(bundle: Path) -> System:
    """The system whose options are offered; a bundle that is missing is refused when it is loaded."""
    from monai_xray2mri.systems.registry import default_system, system_of

    try:
        return system_of(bundle)
    except WeightsError:
        return default_system()


def _platform_parser(add_help: bool) -> argparse.ArgumentParser:
    """The options of every MONAI Deploy app."""
    parser = argparse.ArgumentParser(
        prog="app_package",
        description=f"Synthetic images from the studies that a bundle's system takes. {DISCLAIMER}",
        epilog="An option wins over its environment variable, which stands behind it.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
        add_help=add_help,
    )

    def add(flags: str, variable: str, fallback: object, text: str, **more: Any) -> None:
        default = os.environ.get(variable) or fallback
        parser.add_argument(*flags.split(), default=default, help=f"{text} [{variable}]", **more)

    add("-i --input", "HOLOSCAN_INPUT_PATH", "input", "folder of the study", type=Path, metavar="PATH")
    add("-o --output", "HOLOSCAN_OUTPUT_PATH", "output", "folder of the results", type=Path, metavar="PATH")
    add("-m --model", "HOLOSCAN_MODEL_PATH", None, "the MONAI Bundle, or its parent", type=Path, metavar="PATH")
    add("-w --workdir", "HOLOSCAN_WORKDIR", None, "for every MONAI Deploy app; not used here", metavar="PATH")
    add("-l --log-level", "XRAY2MRI_LOG_LEVEL", "INFO", "how much is logged", type=_log_level, metavar="LEVEL")
    return parser


def _parser(system: System) -> argparse.ArgumentParser:
    parser = _platform_parser(add_help=True)
    add_options(parser, (*system.request_options, *system.sampling_options, *OUTPUT_OPTIONS), os.environ)
    add_options(parser, (DEVICE, ALLOW_PARTIAL), os.environ)
    return parser


def _log_level(text: str) -> str:
    """A level in any case; argparse's own ``choices`` would not check the environment variable."""
    if text.upper() not in LOG_LEVELS:
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(LOG_LEVELS)}, not {text!r}")
    return text.upper()
