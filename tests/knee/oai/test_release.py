"""Finding films and MR series, whatever the folders, the headers and contents.csv look like."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from monai_xray2mri.knee.oai.contents import Listed, SeriesPath, holds_contents, is_contents_column, listed_series
from monai_xray2mri.knee.oai.release import Discovery, Series, discover
from monai_xray2mri.knee.oai.tables import read_table
from monai_xray2mri.types import Side
from tests.knee.oai.conftest import (
    DATE,
    FILM_DESCRIPTION,
    NUMBER,
    OTHER,
    T1,
    Release,
    film_image,
    mr_images,
    write_series,
)


@pytest.fixture
def found(empty_release: Release) -> Release:
    """A release with a film and a short T1 series, which is enough to be found."""
    empty_release.add_film()
    empty_release.add_mr(images=tiny())
    return empty_release


def tiny(count: int = 3, **replaced: object) -> list:  # type: ignore[type-arg]
    """The first slices of a series, 8 x 8."""
    return mr_images(np.ones((count, 8, 8), np.uint16), **replaced)


def only(discovery: Discovery, kind: str) -> Series:
    """The one series of a kind."""
    (series,) = [one for one in discovery.series if one.kind == kind]
    return series


def test_film_and_series_are_found_with_participant_visit_side_and_barcode(found: Release) -> None:
    discovery = discover(found.root, {})
    film, series = only(discovery, "film"), only(discovery, "T1")
    assert (film.participant, film.visit, film.barcode) == (NUMBER, "V00", "016600593103")
    assert (series.participant, series.visit, series.side, series.files) == (NUMBER, "V00", Side.RIGHT, 3)
    assert film.name == f"00m/0.C.2/{NUMBER}/{DATE}/00593103"
    assert not film.problem and not series.problem


def test_nested_copies_are_found_once(found: Release) -> None:
    for depth in ("00m", "00m/00m"):
        shutil.copytree(found.root / "00m" / "0.C.2", found.root / "00m" / depth / "0.C.2")
    discovery = discover(found.root, {})
    assert len(discovery.series) == 2
    assert discovery.copies == 4


def test_other_sequences_are_counted_and_not_kept(found: Release) -> None:
    for number, (description, files) in enumerate(
        [("SAG_T2_MAP_RIGHT", 2), ("COR_IW_TSE_RIGHT", 4), ("AX_MPR_LEFT", 5)]
    ):
        found.add_mr(series=f"1059320{number}", images=tiny(files, SeriesDescription=description))
    write_series(found.day() / "00593999", [film_image(SeriesDescription="PA Right Hand")])
    discovery = discover(found.root, {})
    assert len(discovery.series) == 2
    assert discovery.others == Counter(["SAG_T2_MAP_RIGHT", "COR_IW_TSE_RIGHT", "AX_MPR_LEFT", "PA Right Hand"])
    assert discovery.slice_counts[T1] == Counter([3])
    assert discovery.slice_counts["COR_IW_TSE_RIGHT"] == Counter([4])


def test_a_description_with_blanks_is_recognised(found: Release, change) -> None:  # type: ignore[no-untyped-def]
    change(found.day() / "00593103" / "001", SeriesDescription="  Bilateral  PA Fixed Flexion Knee ")
    assert only(discover(found.root, {}), "film").description == FILM_DESCRIPTION


def test_an_unpacked_download_without_visit_folders_is_read_by_its_headers(empty_release: Release) -> None:
    write_series(empty_release.root / "a" / "film", [film_image(ClinicalTrialTimePointID="V06")])
    write_series(empty_release.root / "b" / "mr", tiny(ClinicalTrialTimePointID="48m"))
    discovery = discover(empty_release.root, {})
    assert {(one.kind, one.participant, one.visit) for one in discovery.series} == {
        ("film", NUMBER, "V06"),
        ("T1", NUMBER, "V06"),
    }


def test_without_any_word_of_the_visit_a_series_cannot_be_used(empty_release: Release) -> None:
    write_series(empty_release.root / "film", [film_image()])
    assert discover(empty_release.root, {}).series[0].problem == "neither folder nor header names the visit"


def test_another_participant_in_the_header_is_a_problem(found: Release, change) -> None:  # type: ignore[no-untyped-def]
    change(found.day() / "00593103" / "001", PatientID=OTHER)
    assert "names another participant" in only(discover(found.root, {}), "film").problem


def test_a_missing_barcode_comes_from_contents_or_the_folder(found: Release, change) -> None:  # type: ignore[no-untyped-def]
    change(found.day() / "00593103" / "001", AccessionNumber=None)
    film = only(discover(found.root, {}), "film")
    assert film.barcode == "016600593103"
    assert film.remarks == ("no barcode in the header, taken from the folder's name",)
    listed = {(NUMBER, DATE, "00593103"): Listed(NUMBER, FILM_DESCRIPTION, "016600000777")}
    film = only(discover(found.root, listed), "film")
    assert film.barcode == "016600000777"
    assert film.remarks == ("no barcode in the header, taken from contents.csv",)


@pytest.mark.parametrize(
    ("replaced", "problem"),
    [
        ({"Laterality": "L"}, "different sides"),
        ({"ImageLaterality": "L", "Laterality": None}, "different sides"),
        ({"SeriesDescription": "COR_T1_3D_FLASH", "Laterality": None}, "neither description nor header names the side"),
    ],
)
def test_a_wrong_or_unknown_side_is_a_problem(
    empty_release: Release, replaced: dict[str, object], problem: str
) -> None:
    empty_release.add_mr(images=tiny(**replaced))
    assert problem in only(discover(empty_release.root, {}), "T1").problem


def test_a_left_series_is_a_left_knee(empty_release: Release) -> None:
    empty_release.add_mr(images=tiny(SeriesDescription="COR_T1_3D_FLASH_LEFT", Laterality="L"))
    assert only(discover(empty_release.root, {}), "T1").side is Side.LEFT


@pytest.mark.parametrize("content", [b"", b"not DICOM at all" * 100, b"\0" * 128 + b"DICM" + b"\xff" * 50])
def test_an_unreadable_series_is_reported_with_its_participant(found: Release, content: bytes) -> None:
    (found.day() / "00593103" / "001").write_bytes(content)
    series = only(discover(found.root, {}), "unreadable")
    assert (series.participant, series.visit) == (NUMBER, "V00")
    assert "DICOM image" in series.problem


def test_other_files_and_folders_are_no_series(found: Release) -> None:
    (found.root / "README").write_text("About this release\n")
    (found.root / "truth").mkdir()
    (found.root / "truth" / "001").write_bytes(b"x")
    (found.day() / "00593103" / "thumbs.png").write_bytes(b"x")
    (found.root / ".hidden").mkdir()
    discovery = discover(found.root, {})
    assert len(discovery.series) == 2
    assert only(discovery, "film").files == 1


def test_links_are_followed_and_loops_are_not(found: Release, tmp_path: Path) -> None:
    (found.root / "00m").rename(tmp_path / "elsewhere")
    (found.root / "00m").symlink_to(tmp_path / "elsewhere")
    (found.root / "00m" / "again").symlink_to(found.root)
    discovery = discover(found.root, {})
    assert [(one.kind, one.visit) for one in discovery.series] == [("film", "V00"), ("T1", "V00")]
    assert discovery.copies == 0


def contents(path: Path, **names: str) -> dict[SeriesPath, Listed]:
    """contents.csv in one of its forms, read."""
    row = {
        "Folder": f"0.C.2/{NUMBER}/{DATE}/00593103", "ParticipantID": NUMBER, "StudyDate": DATE,
        "Barcode": "016600593103", "StudyDescription": "OAI", "SeriesDescription": FILM_DESCRIPTION,
    }  # fmt: skip
    Release.write_table(path, [{names.get(name, name): text for name, text in row.items()}], ",")
    return read_contents(path)


def read_contents(path: Path) -> dict[SeriesPath, Listed]:
    """A contents.csv, read."""
    table = read_table(path, path.name, is_contents_column)
    assert holds_contents(table.columns)
    return listed_series(table)


@pytest.mark.parametrize("name", ["Barcode", "AccessionNumber", "accessionnumber", "BARCODE"])
def test_contents_with_either_name_of_the_barcode(tmp_path: Path, name: str) -> None:
    (listed,) = contents(tmp_path / "contents.csv", Barcode=name).values()
    assert listed == Listed(NUMBER, FILM_DESCRIPTION, "016600593103")


@pytest.mark.parametrize("barcode", ["593103", "0593103", "00593103", "16600593103", "016600593103"])
def test_contents_with_short_and_long_barcodes(tmp_path: Path, barcode: str) -> None:
    contents(tmp_path / "contents.csv")
    text = (tmp_path / "contents.csv").read_text().replace("016600593103", barcode)
    (tmp_path / "contents.csv").write_text(text)
    (listed,) = read_contents(tmp_path / "contents.csv").values()
    assert listed.barcode == "016600593103"


def test_contents_with_blanks_and_backslashes(tmp_path: Path) -> None:
    contents(tmp_path / "contents.csv")
    text = (tmp_path / "contents.csv").read_text().replace(FILM_DESCRIPTION, f" {FILM_DESCRIPTION}   ")
    (tmp_path / "contents.csv").write_text(text.replace("/", "\\"))
    assert read_contents(tmp_path / "contents.csv") == {
        (NUMBER, DATE, "00593103"): Listed(NUMBER, FILM_DESCRIPTION, "016600593103")
    }


def test_what_contents_lists_as_another_sequence_is_not_opened(found: Release) -> None:
    found.add_mr(series="10593999", images=tiny(5))  # its header says T1, contents.csv says otherwise
    listed = {(NUMBER, DATE, "10593999"): Listed(NUMBER, "SAG_IW_TSE_RIGHT", None)}
    discovery = discover(found.root, listed)
    assert len(discovery.series) == 2
    assert discovery.slice_counts["SAG_IW_TSE_RIGHT"] == Counter([5])


def test_what_is_listed_and_not_there_is_counted(found: Release) -> None:
    listed = {
        (OTHER, DATE, "00000001"): Listed(OTHER, FILM_DESCRIPTION, None),
        (OTHER, DATE, "10000001"): Listed(OTHER, T1, None),
        (OTHER, DATE, "10000002"): Listed(OTHER, "SAG_IW_TSE_LEFT", None),
    }
    assert discover(found.root, listed).absent == 2
