"""Studies are found in trees, directories, tables and on servers, each once."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.fileset import FileSet
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from monai_xray2mri.cohort import server as servers
from monai_xray2mri.cohort.sources import find_studies, fingerprint, foreign_columns, staged, study_name
from monai_xray2mri.core.options import Option
from monai_xray2mri.errors import InputRefused, UsageError
from tests.helpers.misbehaving_system import write_pictures

OPTIONS = (Option("side", str, "side", choices=("R", "L")), Option("age", int, "age", low=0, high=120))


def dicom_object(study: str, number: int = 1) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", f"{study}.{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.9"
    dataset.PatientID, dataset.PatientName, dataset.StudyID, dataset.SeriesNumber = "7", "A^B", "1", 1
    dataset.StudyDate, dataset.StudyTime, dataset.Modality, dataset.InstanceNumber = "20200101", "1200", "DX", number
    dataset.AccessionNumber = ""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def write_dicom(path: Path, study: str, number: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    dcmwrite(path, dicom_object(study, number), enforce_file_format=True)


def test_files_of_a_study_belong_together_wherever_they_lie(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a" / "1.dcm", "1.2.3")
    write_dicom(tmp_path / "b" / "c" / "2", "1.2.3", 2)
    write_dicom(tmp_path / "a" / "3.dcm", "1.2.4")
    write_pictures(tmp_path / "p", "one", "two")
    write_pictures(tmp_path / "a", "logo")  # beside DICOM files: a viewer's
    write_pictures(tmp_path / "out", "result")
    (tmp_path / "z.zip").write_bytes(b"PK\x03\x04rest")
    (tmp_path / "notes.txt").write_text("nothing")
    found = {one.source: one for one in find_studies(str(tmp_path), (), leave_out=tmp_path / "out")}
    assert found.keys() == {". (2 files)", "a/3.dcm", "p/one.png", "p/two.png", "z.zip"}
    assert found[". (2 files)"].files == ("a/1.dcm", "b/c/2")
    assert found[". (2 files)"].study == study_name("1.2.3")
    assert len({one.study for one in found.values()}) == 5
    assert "must be unpacked" in str(found["z.zip"].refusal)
    assert found["p/one.png"].megabytes > 0


def test_a_study_is_staged_alone_under_its_own_names(tmp_path: Path) -> None:
    write_dicom(tmp_path / "x" / "a" / "1.dcm", "1.2.3")
    write_dicom(tmp_path / "x" / "b" / "2.dcm", "1.2.3", 2)
    write_dicom(tmp_path / "x" / "a" / "3.dcm", "1.2.4")
    both, alone = sorted(find_studies(str(tmp_path), ()), key=lambda one: -len(one.files))
    with staged(both, str(tmp_path)) as place:
        names = sorted(path.relative_to(place).as_posix() for path in place.rglob("*.dcm"))
        assert names == ["a/1.dcm", "b/2.dcm"]
        assert str(dcmread(place / "a" / "1.dcm").StudyInstanceUID) == "1.2.3"
    assert not place.exists()
    with staged(alone, str(tmp_path)) as place:
        assert place.name == "3.dcm" and place.is_file()
    (tmp_path / "x" / "a" / "3.dcm").unlink()
    with pytest.raises(InputRefused, match="must be where it was found"), staged(alone, str(tmp_path)):
        pass


def test_what_changes_a_file_changes_the_fingerprint(tmp_path: Path) -> None:
    write_pictures(tmp_path, "one")
    (found,) = find_studies(str(tmp_path), ())
    before = fingerprint(found, str(tmp_path))
    assert fingerprint(found, str(tmp_path)) == before
    (tmp_path / "one.png").write_bytes(b"something else")
    assert fingerprint(found, str(tmp_path)) != before


def test_dicomdir(tmp_path: Path) -> None:
    files = FileSet()
    for study in ("1.2.3", "1.2.4"):
        for number in (1, 2):
            files.add(dicom_object(study, number))
    files.write(tmp_path / "disc")
    found = list(find_studies(str(tmp_path / "disc" / "DICOMDIR"), ()))
    assert [one.study for one in found] == [study_name("1.2.3"), study_name("1.2.4")]
    assert all(len(one.files) == 2 for one in found)
    with staged(found[0], str(tmp_path / "disc" / "DICOMDIR")) as place:
        assert {str(dcmread(path).StudyInstanceUID) for path in place.rglob("*") if path.is_file()} == {"1.2.3"}


def test_files_that_a_dicomdir_names_and_that_are_not_there_are_named(tmp_path: Path) -> None:
    files = FileSet()
    for number in (1, 2):
        files.add(dicom_object("1.2.3", number))
    files.write(tmp_path)
    lost, kept = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("IM*"))
    (tmp_path / lost).unlink()
    study, missing = find_studies(str(tmp_path / "DICOMDIR"), ())
    assert study.files == (kept,) and study.refusal is None
    assert str(missing.refusal).startswith(f"file {lost}: must be where DICOMDIR says (found: nothing there)")


def test_a_dicomdir_whose_file_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    files = FileSet()
    files.add(dicom_object("1.2.3"))
    files.write(tmp_path / "disc")
    (file,) = (tmp_path / "disc").rglob("IM*")
    file.symlink_to(file.rename(tmp_path / "elsewhere"))
    with pytest.raises(UsageError, match="found: a file outside its folder"):
        list(find_studies(str(tmp_path / "disc" / "DICOMDIR"), ()))


def test_dicomdir_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "DICOMDIR").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="readable directory of a file set"):
        list(find_studies(str(tmp_path / "DICOMDIR"), ()))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rows_of_a_table(tmp_path: Path, kind: str) -> None:
    write_pictures(tmp_path / "films", "one", "two", "three")
    rows = [
        {"path": "films/one.png", "side": "R", "age": "61", "study": "", "clinic": "x"},
        {"path": "films/two.png", "side": "right?", "age": "", "study": "", "clinic": "x"},
        {"path": "films/none.png", "side": "L", "age": "", "study": "", "clinic": "x"},
        {"path": "./films/one.png", "side": "L", "age": "", "study": "", "clinic": "x"},
        {"path": "films/three.png", "side": "L", "age": "", "study": "p/7", "clinic": "x"},
        {"path": "films/two.png", "side": "L", "age": "", "study": "p7", "clinic": "x"},
        {"path": "films", "side": "", "age": "", "study": "p7", "clinic": "x"},
        {"path": "", "side": "", "age": "", "study": "", "clinic": ""},
    ]
    path = tmp_path / f"table.{kind}"
    if kind == "csv":
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    found = list(find_studies(str(path), OPTIONS))
    assert [one.source for one in found] == [f"row {number}" for number in range(1, 9)]
    assert found[0].refusal is None and found[0].options == {"side": "R", "age": 61}
    reasons = [str(one.refusal) for one in found[1:]]
    assert "option side: must be one of: R, L" in reasons[0]
    assert 'row 3: its "path" must exist' in reasons[1]
    assert "row 4: must name another film than the rows before (found: that of row 1)" in reasons[2]
    assert 'its "study" must be of letters, digits' in reasons[3]
    assert found[5].refusal is None and found[5].study == "p7"
    assert 'its "study" must be another than those before (found: that of row 6)' in reasons[5]
    assert 'its "path" must name a file or folder' in reasons[6]
    assert len({one.study for one in found}) == 8
    assert foreign_columns(str(path), OPTIONS) == ("clinic",)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "side,age\nR,1\n", 'needs a column "path"'),
        ("t.csv", "", "must be a CSV file in UTF-8 .* an empty file"),
        ("t.parquet", "nothing", "must be a Parquet file"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=message):
        foreign_columns(str(tmp_path / name), OPTIONS)


def test_rows_of_unequal_length_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path,side\na,R\nb,R,7\n")
    with pytest.raises(UsageError, match=r"rows of equal length .found: a row of another length"):
        list(find_studies(str(tmp_path / "t.csv"), OPTIONS))


def test_a_table_in_another_encoding_is_named_and_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("path,side\nGrünwald.png,R\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"in UTF-8 .* another encoding") as caught:
        list(find_studies(str(tmp_path / "t.csv"), OPTIONS))
    assert "nwald" not in str(caught.value)


def test_inputs_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing at that path"):
        find_studies(str(tmp_path / "none"), ())
    (tmp_path / "film.dcm").write_bytes(b"x")
    with pytest.raises(UsageError, match="must be a folder, a DICOMDIR, a table"):
        find_studies(str(tmp_path / "film.dcm"), ())


class Server(http.server.BaseHTTPRequestHandler):
    """Two studies by QIDO-RS; the first of them by WADO-RS."""

    queries: list[str]

    def do_GET(self) -> None:
        if self.path.partition("?")[0].endswith("/studies"):
            self.queries.append(self.path)
            later = "offset=2" in self.path and "Again" not in self.path
            studies = [{"0020000D": {"vr": "UI", "Value": [uid]}} for uid in ("1.2.3", "1.2.4")]
            studies = [{}] if "Nameless" in self.path else studies
            self._answer("application/dicom+json", json.dumps([] if later else studies).encode())
        elif "/studies/1.2.3" in self.path:
            stream = BytesIO()
            dataset = dicom_object("1.2.3")
            dataset.SOPInstanceUID = "../../1.2.3.1"  # of a server that means harm
            dcmwrite(stream, dataset, enforce_file_format=True)
            part = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + stream.getvalue() + b"\r\n--x--"
            self._answer('multipart/related; type="application/dicom"; boundary=x', part)
        else:
            self.send_error(404)

    def _answer(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    Server.queries = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/dicom-web?StudyDate=20200101-"
        running.shutdown()


def test_studies_on_a_server_are_found_by_query_and_fetched(server: str) -> None:
    first, second = find_studies(server, ())
    assert (first.study, first.source) == (study_name("1.2.3"), "1.2.3")
    assert "StudyDate=20200101-" in Server.queries[0]
    with staged(first, server) as place:
        (file,) = place.iterdir()
        assert str(dcmread(file).StudyInstanceUID) == "1.2.3"
    with pytest.raises(InputRefused, match="must be given by the server"), staged(second, server):
        pass


def test_a_server_that_knows_no_offset_is_asked_twice(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_STUDIES_AT_ONCE", 1)  # it answers with two all the same
    assert [one.source for one in find_studies(server.replace("StudyDate", "Again"), ())] == ["1.2.3", "1.2.4"]
    assert len(Server.queries) == 2


def test_a_server_whose_answer_names_no_study_is_refused(server: str) -> None:
    with pytest.raises(UsageError, match=r"must be a DICOMweb server that answers .found: KeyError"):
        list(find_studies(server.replace("StudyDate", "Nameless"), ()))


def test_servers_that_do_not_answer_and_passwords_in_addresses_are_refused() -> None:
    with pytest.raises(UsageError, match="must be a DICOMweb server that answers"):
        list(find_studies("http://127.0.0.1:9/dicom-web", ()))
    with pytest.raises(UsageError, match="must be an address without user and password"):
        list(find_studies("http://me:secret@127.0.0.1:9/dicom-web", ()))


def test_a_generated_uid_never_shows_in_a_name() -> None:
    uid = generate_uid()
    assert len(study_name(uid)) == 16 and study_name(uid) not in uid
