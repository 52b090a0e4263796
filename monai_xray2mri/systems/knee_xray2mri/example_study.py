"""An example study: the bilateral film of a simulated patient and one structured report of gradings per knee.

``python -m monai_xray2mri.systems.knee_xray2mri.example_study --output DIR [--seed N]`` makes what ``make demo`` runs
the app on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from monai_xray2mri.errors import Xray2MRIError
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.knee.grading.report_writer import write_grading_report
from monai_xray2mri.simulation.knee.film.film import SimulatedFilm, simulate_film
from monai_xray2mri.simulation.knee.film.film_dicom import write_film
from monai_xray2mri.simulation.knee.people.seeds import TEST
from monai_xray2mri.types import Side

EXAMPLE_SEED = TEST.start + 11
_FIRST_REPORT_SERIES = 100


def write_example_study(output: Path, seed: int = EXAMPLE_SEED) -> SimulatedFilm:
    """Write ``film.dcm``, ``gradings_right.dcm`` and ``gradings_left.dcm`` of one simulated patient.

    Equal arguments give equal bytes.

    Args:
        output: folder, made if needed; files of these names are replaced.
        seed: the patient's seed; by default one that no model was trained on.

    Returns:
        The film with its truth.

    Raises:
        InputRefused: the seed lies outside the simulator's ranges.
        UsageError: the folder cannot be written.
    """
    film = simulate_film(seed)
    header = write_film(output / "film.dcm", film)
    for number, side in enumerate(Side):
        write_grading_report(
            output / f"gradings_{side.word}.dcm",
            {side: Grading(film.grades[side], source="simulated")},
            header,
            final=True,
            series_number=_FIRST_REPORT_SERIES + number,
        )
    return film


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of this module; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m monai_xray2mri.systems.knee_xray2mri.example_study", description=__doc__
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to write the study into")
    parser.add_argument("--seed", type=int, default=EXAMPLE_SEED, help="seed of the patient (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        write_example_study(options.output, options.seed)
    except Xray2MRIError as error:
        sys.stderr.write(f"{error}\n")
        return int(error.exit_code)
    sys.stderr.write(f"Example study of a simulated patient written to {options.output}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
