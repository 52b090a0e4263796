from __future__ import annotations

from dataclasses import replace

from monai_xray2mri.simulation.knee.film.film_options import PROSTHESES
from monai_xray2mri.simulation.knee.people.participants import draw_participant
from monai_xray2mri.simulation.knee.people.seeds import VALIDATION
from monai_xray2mri.simulation.knee.release.layout import EXAMINATIONS, GRADINGS
from monai_xray2mri.simulation.knee.release.settings import film_options
from monai_xray2mri.simulation.knee.release.tables import as_graded, write_tables
from monai_xray2mri.types import Side


def test_knee_with_a_prosthesis_has_no_row_of_grades(settings, tmp_path):
    varied = replace(settings, films="varied")
    operated = next(seed for seed in VALIDATION if film_options(varied, seed).hardware.get(Side.LEFT) in PROSTHESES)
    participant = draw_participant(operated)
    graded = as_graded(participant, varied)
    assert graded.grades == {Side.RIGHT: participant.grades[Side.RIGHT], Side.LEFT: {}}
    assert as_graded(participant, settings) == participant  # plain films show no metal
    write_tables(tmp_path, [participant], varied)
    header, *rows = [line.split("|") for line in (tmp_path / GRADINGS).read_text().splitlines()]
    assert {row[header.index("SIDE")] for row in rows} == {"1"}
    assert all(len(row) == len(header) for row in rows)


def test_oddities_and_missingness_reach_the_tables(settings, tmp_path):
    participants = [draw_participant(seed) for seed in range(VALIDATION.start, VALIDATION.start + 40)]
    odd = replace(settings, oddities="oai", structural_missingness=True)
    for name, chosen in (("plain", settings), ("odd", odd)):
        write_tables(tmp_path / name, participants, chosen)
    plain, strange = ((tmp_path / name / GRADINGS).read_text() for name in ("plain", "odd"))
    assert "|1: Right|" in strange and ".A: Not Expected" in strange
    assert "|1: Right|" not in plain and ".A" not in plain
    assert "'YD': Not QCd" in (tmp_path / "odd" / EXAMINATIONS).read_text()
