"""What is stored belongs to its study; what others wrote is not believed."""

from __future__ import annotations

import hashlib
from io import BytesIO

import pytest
from pydicom import dcmread

from monai_xray2mri.dicom.uids import deterministic_uid
from monai_xray2mri.hospital.maker import MakingFailed
from monai_xray2mri.hospital.record import LOSABLE, Manifest, Record, State
from monai_xray2mri.hospital.results import result_of
from monai_xray2mri.hospital.settings import KEYS
from tests.helpers.hospital_system import film
from tests.helpers.ward import Ward


def test_a_file_of_another_study_is_never_stored(tmp_path):
    (tmp_path / "film.dcm").write_bytes(film("other"))
    with pytest.raises(MakingFailed) as caught:
        result_of([tmp_path / "film.dcm"], [], "2.25.1")
    assert caught.value.code == "other-study"


def test_small_objects_are_padded_alike_and_say_the_same(tmp_path):
    content = film("one")
    (tmp_path / "film.dcm").write_bytes(content)
    first, second = (result_of([tmp_path / "film.dcm"], [], str(deterministic_uid("one"))) for _ in range(2))
    (instance,) = first.instances
    padded = first.content(instance)
    assert len(content) < LOSABLE <= len(padded) and padded == second.content(instance)
    assert instance.digest == hashlib.md5(padded).hexdigest()
    read = dcmread(BytesIO(padded))
    assert len(read.pop("DataSetTrailingPadding").value) % 2 == 0
    assert read == dcmread(BytesIO(content))


def test_what_a_result_consists_of_is_never_a_small_file():
    assert len(Manifest("f", "done", ()).encode()) >= LOSABLE


def test_an_instance_that_orthanc_files_elsewhere_is_deleted_again():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))
    store = ward.orthanc._store

    def elsewhere(content: bytes, origin: str, called: str) -> tuple[str, bool]:
        identifier, new = store(content, origin, called)
        if origin == "RestApi":
            ward.orthanc.instances[identifier].study = "another"
        return identifier, new

    ward.orthanc._store = elsewhere  # type: ignore[method-assign]
    ward.settle(ward.worker(), 700, rounds=5)
    record = ward.record(study)
    assert (record.state, record.code) == (State.FAILED, "other-study")
    assert len(ward.orthanc.instances) == 1 and not ward.taken


@pytest.mark.parametrize("content", ["", "no JSON", "[]", '{"state": "unheard"}', '{"state": "done"}', "{}"])
def test_a_state_that_nobody_can_read_is_none(content):
    ward = Ward()
    study = ward.orthanc.receive(film("one"))
    ward.orthanc.metadata[study] = {"4001": content}
    ward.orthanc.attachments[study, "4001"] = content.encode()
    assert Record.decode(content) is None and Manifest.decode(content.encode()) is None
    ward.settle(ward.worker(), rounds=2)
    ward.check_answered_once(study)


def test_the_page_lists_every_setting(repository):
    page = (repository / "docs" / "hospital.md").read_text()
    for option in KEYS:
        assert f"| `{option.name}` | {option.help} |" in page, option.name
