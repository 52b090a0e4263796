"""Acceptance of films, age, sex and BMI."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_xray2mri.knee.oai.covariates import (
    Covariates,
    ParticipantTables,
    add_covariates,
    add_films,
    holds_covariates,
    holds_films,
    is_participant_column,
)
from monai_xray2mri.knee.oai.tables import Table, read_table
from tests.knee.oai.conftest import NUMBER, OTHER, Release


def table(path: Path, rows: list[dict[str, str]]) -> Table:
    """Write a table and read it."""
    return read_table(Release.write_table(path, rows), path.name, is_participant_column)


@pytest.mark.parametrize("text", ["YD", "'YD': Not QCd and accepted by default", "YD: accepted by default", " yd"])
def test_acceptance_of_a_film_in_both_encodings(tmp_path: Path, text: str) -> None:
    read = table(tmp_path / "XRay00.txt", [{"ID": NUMBER, "V00XRBARCD": "16600593103", "V00ACCEPT": text}])
    assert holds_films(read.columns)
    tables = ParticipantTables()
    add_films(tables, read)
    assert tables.acceptance == {"016600593103": "YD"}


def test_a_film_without_barcode_says_nothing(tmp_path: Path) -> None:
    tables = ParticipantTables()
    add_films(tables, table(tmp_path / "XRay00.txt", [{"ID": NUMBER, "V00XRBARCD": ".", "V00ACCEPT": "NR"}]))
    assert tables.acceptance == {}


def test_age_sex_and_bmi_come_together_from_several_tables(tmp_path: Path) -> None:
    tables = ParticipantTables()
    first = table(tmp_path / "Enrollees.txt", [{"id": NUMBER, "p02sex": "2: Female"}, {"id": OTHER, "p02sex": "1"}])
    second = table(tmp_path / "AllClinical00.txt", [{"ID": NUMBER, "V00AGE": "61", "P01BMI": "27.4"}])
    for read in (first, second):
        assert holds_covariates(read.columns)
        add_covariates(tables, read)
    assert tables.covariates == {NUMBER: Covariates(61, "F", 27.4), OTHER: Covariates(None, "M", None)}


def test_missing_values_stay_unknown_and_bad_rows_are_named(tmp_path: Path) -> None:
    tables = ParticipantTables()
    rows = [{"ID": NUMBER, "V00AGE": ".: Missing", "P01BMI": ".M"}, {"ID": "x", "V00AGE": "50", "P01BMI": "20"}]
    add_covariates(tables, table(tmp_path / "clinical.txt", rows))
    assert tables.covariates == {NUMBER: Covariates()}
    assert tables.bad_rows == [("clinical.txt, line 3", "ID cannot be read")]
