"""Whose images a study holds: identifiers first, names where they tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset

from monai_xray2mri.dicom.patients import count_patients
from monai_xray2mri.dicom.study import read_study
from monai_xray2mri.errors import InputRefused
from tests.dicom.test_study import VOLUMES, write


def header(name: str, identifier: str = "") -> Dataset:
    dataset = Dataset()
    dataset.PatientName, dataset.PatientID = name, identifier
    return dataset


SAME = [
    ("Doe^Jane", "DOE^JANE"),
    ("Doe^Jane", "Doe Jane"),
    ("Doe^Jane", "Jane Doe"),
    ("Doe^Jane", "Doe, Jane"),
    ("Doe^Jane", "Doe^Jane^^"),
    ("Doe^Jane", " doe ^ jane "),
    ("Doe^Jane", "Doe^Jane^Maria^Dr."),
    ("Doe^Jane", "Doe^J"),
    ("Doe^Jane", "Doe"),
    ("Doe^Jane", ""),
    ("Doe^Jane", "ANONYMOUS"),
    ("Müller^Jürgen", "Mueller^Juergen"),
    ("Müller^Jürgen", "MULLER^JURGEN"),
    ("Müller^Jürgen", "Mu\u0308ller^Ju\u0308rgen"),
    ("Müller^Jürgen", "M\ufffdller^J\ufffdrgen"),
    ("Meyer-Schmidt^Anna", "Meyer Schmidt^Anna"),
    ("O'Neill^Mary", "ONeill^Mary"),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou"),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "=山田^太郎"),
    ("Yamada^Tarou=山田^太郎", "山田太郎"),
    ("Ｙａｍａｄａ^Ｔａｒｏｕ", "Yamada^Tarou"),
    ("Hong^Gildong=洪^吉洞=홍^길동", "홍^길동"),
]
"""One patient each."""
DIFFERENT = [
    ("Doe^Jane", "Roe^Richard"),
    ("Doe^Jane", "Doe^John"),
    ("Doe^Jane", "Doe^B"),
    ("Müller^Jürgen", "Möller^Jürgen"),
    ("Yamada^Tarou=山田^太郎", "Suzuki^Hanako=鈴木^花子"),
    ("山田^太郎", "山田^花子"),
]
"""Two patients each."""


@pytest.mark.parametrize(("first", "second"), SAME)
def test_one_name_in_other_forms_is_one_patient(first: str, second: str) -> None:
    assert count_patients([header(first), header(second)]) == 1
    assert count_patients([header(second, "1"), header(first, "1")]) == 1


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_other_names_without_identifier_are_other_patients(first: str, second: str) -> None:
    assert count_patients([header(first), header(second)]) == 2
    assert count_patients([header(second), header(""), header(first)]) == 2


def test_different_identifiers_are_different_patients_whatever_the_name() -> None:
    assert count_patients([header("Doe^Jane", "1"), header("Doe^Jane", "2")]) == 2
    assert count_patients([header("Doe^Jane", "1"), header("Doe^Jane", " 1 ")]) == 1


@pytest.mark.parametrize(
    ("second", "count"),
    [("Smith^Jane", 1), ("Doe^J", 1), ("Roe^Richard", 2), ("山田^太郎", 1), ("Jane^Mary", 1)],
)
def test_of_one_identifier_only_names_without_a_common_word_are_two(second: str, count: int) -> None:
    """A name changes by marriage or correction; a name of another script cannot be compared."""
    assert count_patients([header("Doe^Jane", "1"), header(second, "1")]) == count


def test_no_header_and_headers_without_a_name_are_of_one_patient() -> None:
    assert count_patients([]) <= 1
    assert count_patients([Dataset(), Dataset()]) == 1


def test_a_study_of_two_patients_by_name_is_refused_and_nobody_named(tmp_path: Path) -> None:
    write(tmp_path / "1.dcm", "MR", PatientID="", PatientName="Doe^Jane")
    write(tmp_path / "2.dcm", "MR", PatientID="", PatientName="DOE JANE")
    assert len(read_study(tmp_path, [VOLUMES]).of(VOLUMES)) == 2
    write(tmp_path / "3.dcm", "MR", PatientID="", PatientName="Roe^Richard")
    with pytest.raises(InputRefused, match="must be of one patient") as refusal:
        read_study(tmp_path, [VOLUMES])
    assert "Doe" not in str(refusal.value) and "Roe" not in str(refusal.value)
