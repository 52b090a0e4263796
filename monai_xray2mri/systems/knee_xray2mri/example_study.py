"""An example study: the bilateral film of a simulated patient and one structured report of gradings per knee.

``xray2mri example-study --output DIR [--seed N]`` writes it; ``make demo`` runs the app on it.
"""

from __future__ import annotations

from pathlib import Path

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
