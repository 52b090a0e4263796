"""``xray2mri report``: writes the gradings of a film as a structured report."""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from monai_xray2mri.commands.options import chosen_side, named_path
from monai_xray2mri.errors import ExitCode, InputRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydicom import Dataset

    from monai_xray2mri.knee.grading.record import Grading
    from monai_xray2mri.types import Side


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``report``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser(
        "report",
        parents=[common],
        help="gradings of a film as a structured report",
        description="Write the gradings of a radiograph as a TID 1500 structured report, which synthesize and the app "
        "read, and print them as they are read back.",
    )
    parser.add_argument("input", type=named_path, help="DICOM radiograph, or folder with one")
    parser.add_argument("output", type=named_path, help="file to write; an earlier one is replaced")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--features", type=named_path, help="JSON or CSV with the 19 features of one or both knees")
    source.add_argument("--oai-table", type=named_path, help="OAI's kXR_SQ_BUxx: the rows of this film")
    parser.add_argument("--side", choices=["R", "L"], help="the only knee to report, or that of features without side")
    parser.add_argument("--preliminary", action="store_true", help="mark the report as preliminary, not final")
    parser.add_argument("--reader", metavar="NAME", help="who read the film, as in DICOM: Family^Given")
    parser.add_argument(
        "--written",
        type=datetime.fromisoformat,
        metavar="TIME",
        help="when, e.g. 2026-11-21T10:30 (default: the film's)",
    )
    parser.add_argument("--series-number", type=int, default=100, help="Series Number (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command and return the exit code."""
    from pydicom import dcmread

    from monai_xray2mri.knee.grading.report_reader import read_grading_report
    from monai_xray2mri.knee.grading.report_writer import write_grading_report

    film, sides = _film(options.input)
    gradings = _gradings(options, film, sides)
    path = write_grading_report(
        options.output,
        gradings,
        film,
        final=not options.preliminary,
        reader=options.reader,
        written=options.written,
        series_number=options.series_number,
    )
    report = read_grading_report(dcmread(path), path.name)
    read_back = {side: dict(grading.grades) for side, grading in report.gradings.items()}
    if read_back != {side: dict(grading.grades) for side, grading in gradings.items()}:
        raise RuntimeError("the report does not say what was written into it")
    answer = {
        "report": str(path),
        "final": report.final,
        "features": {side.value: grades for side, grades in read_back.items()},
        "remarks": {side.value: list(grading.remarks) for side, grading in gradings.items()},
    }
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return ExitCode.DONE


def _film(path: Path) -> tuple[Dataset, tuple[Side, ...]]:
    """Header of the only DICOM radiograph at a path, and the sides that it shows."""
    from monai_xray2mri.radiograph.laterality import sides_of
    from monai_xray2mri.systems.knee_xray2mri.plan import read_knee_study, require_films

    films = [(film.header, film.name) for film in require_films(read_knee_study(path)) if film.header is not None]
    if len(films) != 1:
        raise InputRefused("report", "is about one DICOM radiograph", f"{len(films)} of them", "Name the file.")
    return films[0][0], sides_of(*films[0])[0]


def _gradings(options: argparse.Namespace, film: Dataset, sides: tuple[Side, ...]) -> Mapping[Side, Grading]:
    """The gradings of the knees that the film shows."""
    from monai_xray2mri.knee.grading.files import read_grading_file
    from monai_xray2mri.knee.oai.film_readings import oai_gradings

    wanted = chosen_side(options)
    if options.features is not None:
        gradings = read_grading_file(options.features, (wanted,) if wanted else sides)
    else:
        gradings = oai_gradings(options.oai_table, film)
    if wanted is not None:
        gradings = {side: grading for side, grading in gradings.items() if side is wanted}
    if not gradings:
        raise InputRefused("report", "needs the grading of at least one knee of the film", "none", "Check the source.")
    for side in gradings:
        if sides and side not in sides:
            found = f"gradings of the {side.word} knee"
            raise InputRefused("report", "may grade only knees that the film shows", found, "Check the film's side.")
    return gradings
