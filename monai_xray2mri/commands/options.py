"""Options that several sub-commands share."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from monai_xray2mri.core.options import Option, add_options
from monai_xray2mri.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from monai_xray2mri.core.system import System
    from monai_xray2mri.types import Side

_MINUTES: Final = {"s": 1 / 60, "m": 1.0, "h": 60.0}


def named_path(text: str) -> Path:
    """The path in an argument.

    Raises:
        argparse.ArgumentTypeError: the text is empty; ``Path("")`` would be the current folder, which is never meant.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("must name a file or folder (found: an empty text; is a variable not set?)")
    return Path(text)


def budget_minutes(text: str) -> float:
    """Minutes of a time like ``90s``, ``9m`` or ``1.5h``.

    Raises:
        UsageError: the text is not a time with a unit.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None or not float(match[1]):
        raise UsageError("option budget", "must be a time with its unit, e.g. 90s, 9m or 1.5h", text)
    return float(match[1]) * _MINUTES[match[2]]


def add_source(parser: argparse.ArgumentParser, system: System) -> None:
    """Add the argument ``SOURCE`` and the request options of a system."""
    parser.add_argument("input", type=named_path, help="study folder, DICOM file, or picture")
    add_options(parser, system.request_options)


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--bundle``."""
    parser.add_argument("--bundle", type=named_path, help="MONAI Bundle (default: the one of the package)")


def named_system(arguments: Sequence[str]) -> System:
    """The system of the bundle that a command line names, whose options it may hold.

    A bundle that is missing or damaged is refused when it is loaded; until then the default system stands for it.
    """
    from monai_xray2mri.systems.registry import default_system, system_of

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--bundle", type=Path)
    try:
        return system_of(parser.parse_known_args(arguments)[0].bundle)
    except (WeightsError, argparse.ArgumentError, SystemExit):
        return default_system()


def values_of(options: argparse.Namespace, asked: Iterable[Option]) -> dict[str, Any]:
    """Values of options on a command line, by name."""
    return {option.name: getattr(options, option.name) for option in asked}


def chosen_side(options: argparse.Namespace) -> Side | None:
    """The side on the command line; None if there is none."""
    from monai_xray2mri.types import Side

    return Side(options.side) if options.side else None


def show_progress(options: argparse.Namespace) -> bool:
    """Whether to show progress bars: on a terminal, unless ``--quiet``."""
    return not options.quiet and sys.stderr.isatty()
