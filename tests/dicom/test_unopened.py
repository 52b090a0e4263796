"""Archives and links are named, never opened."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest

from monai_xray2mri.dicom.kinds import REPORTS
from monai_xray2mri.dicom.study import read_study


def zipped() -> bytes:
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as archive:
        archive.writestr("../film.dcm", b"film")
    return packed.getvalue()


def tarred() -> bytes:
    with tarfile.open(fileobj=(packed := io.BytesIO()), mode="w") as archive:
        archive.addfile(tarfile.TarInfo("film.dcm"), io.BytesIO())
    return packed.getvalue()


ARCHIVES = {
    "study.zip": (zipped, "a zip archive"),
    "IM0001": (zipped, "a zip archive"),
    "empty.zip": (lambda: b"PK\x05\x06" + bytes(18), "a zip archive"),
    "film.dcm.gz": (lambda: gzip.compress(b"film"), "a gzip file"),
    "study.tar": (tarred, "a tar archive"),
    "study.tgz": (lambda: gzip.compress(tarred()), "a gzip file"),
    "film.bz2": (lambda: bz2.compress(b"film"), "a bzip2 file"),
    "film.xz": (lambda: lzma.compress(b"film"), "an xz file"),
    "study.7z": (lambda: b"7z\xbc\xaf\x27\x1c" + bytes(40), "a 7z archive"),
    "study.rar": (lambda: b"Rar!\x1a\x07\x00" + bytes(40), "a RAR archive"),
    "cd.iso": (lambda: bytes(32769) + b"CD001" + bytes(40), "an image of a disc"),
}


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("alone", [True, False])
def test_an_archive_is_named_and_not_unpacked(tmp_path: Path, name: str, alone: bool):
    content, kind = ARCHIVES[name]
    (tmp_path / name).write_bytes(content())
    study = read_study(tmp_path / name if alone else tmp_path, [REPORTS])
    assert study.unopened == (f"{name} ({kind})",)
    assert study.remarks == (f"{name}: is {kind} and was not unpacked",)
    assert [path.name for path in tmp_path.rglob("*")] == [name]


@pytest.mark.parametrize("name", ["letter.docx", "table.xlsx", "volume.nii.gz", "notes.txt"])
def test_documents_are_no_archives(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"PK\x03\x04" if name != "notes.txt" else b"P")
    study = read_study(tmp_path, [REPORTS])
    assert study.unopened == () and study.remarks == (f"{name}: is no DICOM file and was passed over",)


def test_links_to_folders_and_to_nowhere_are_named(tmp_path: Path):
    (tmp_path / "study").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "film.txt").write_text("film")
    (tmp_path / "study" / "PAT0").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "study" / "gone.dcm").symlink_to("nowhere.dcm")
    (tmp_path / "study" / "round").symlink_to(tmp_path / "study", target_is_directory=True)
    (tmp_path / "study" / "film.txt").symlink_to(tmp_path / "elsewhere" / "film.txt")
    study = read_study(tmp_path / "study", [REPORTS])
    links = ("PAT0 (a link to a folder)", "gone.dcm (a link that leads nowhere)", "round (a link to a folder)")
    assert study.unopened == links
    assert "film.txt: is no DICOM file and was passed over" in study.remarks and len(study.remarks) == 4
