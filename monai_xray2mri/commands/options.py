"""Options that several sub-commands share."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monai_xray2mri.knee.grading.record import Grading
    from monai_xray2mri.types import Side

RED_LINE: Final = "Research only, not for clinical use: the MRI is generated from a radiograph, not acquired."


def named_path(text: str) -> Path:
    """The path that an argument names.

    Raises:
        argparse.ArgumentTypeError: the text is empty; as a path that would be the current folder, which nobody named.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("must name a file or folder (found: an empty text; is a variable not set?)")
    return Path(text)


def add_study(parser: argparse.ArgumentParser) -> None:
    """Options of a study that comes in."""
    parser.add_argument("input", type=named_path, help="study folder, DICOM file, or PNG/JPEG of one knee")
    parser.add_argument(
        "--side", choices=["R", "L"], help="the only knee wanted, or the side of a film that does not say"
    )
    parser.add_argument("--features", type=named_path, help="JSON or CSV with radiographic features; replaces reports")
    parser.add_argument("--oai-table", type=named_path, help="OAI's kXR_SQ_BUxx, for films without a report")
    parser.add_argument(
        "--assume-spacing",
        action="store_true",
        help="research: take a picture without pixel spacing as one joint region",
    )
    parser.add_argument("--force", action="store_true", help="use also a picture that the checks doubt; recorded")
    parser.add_argument(
        "--no-estimate",
        dest="estimate",
        action="store_false",
        help="leave a knee that nothing grades unknown, instead of grading it with a classifier",
    )


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """The bundle's option."""
    parser.add_argument("--bundle", type=named_path, help="MONAI Bundle (default: the one of the package)")


def chosen_side(options: argparse.Namespace) -> Side | None:
    """The side that was asked for."""
    from monai_xray2mri.types import Side

    return Side(options.side) if options.side else None


def chosen_features(options: argparse.Namespace) -> Mapping[Side, Grading] | None:
    """Gradings of the file that was named."""
    from monai_xray2mri.knee.grading.files import read_grading_file

    if options.features is None:
        return None
    side = chosen_side(options)
    return read_grading_file(options.features, (side,) if side else ())


def show_progress(options: argparse.Namespace) -> bool:
    """Whether progress bars are wanted: on a terminal, unless ``--quiet``."""
    return not options.quiet and sys.stderr.isatty()
