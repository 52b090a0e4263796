"""State, log and audit trail name no patient."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

from monai_xray2mri.hospital.events import Audit
from monai_xray2mri.hospital.record import MOST_BYTES, Record, State
from monai_xray2mri.hospital.settings import (
    AnswerSettings,
    Destination,
    OrthancSettings,
)
from tests.helpers.hospital_system import film
from tests.helpers.ward import Ward, answered


def test_a_state_stays_below_a_kilobyte_and_holds_no_patient():
    ward = Ward(destinations=tuple(Destination(f"DESTINATION_NUMBER_{n}_LONG") for n in range(6)))
    study = answered(ward)
    written = ward.orthanc.metadata[study]["4001"]
    assert len(written.encode()) <= MOST_BYTES
    for planted in ("Planted", "P-one", "ACCP-one"):
        assert planted not in written and planted not in ward.log.getvalue()
    assert planted not in json.dumps(list(ward.orthanc.attachments.values()), default=bytes.decode)


def test_an_audit_file_that_is_full_loses_no_line_and_fails_nothing():
    stream = StringIO()
    audit = Audit(Path("/dev/full"), "xray2mri", stream)
    audit("read", {"study": "abc", "instances": 2})
    assert json.loads(stream.getvalue())["audit"]["ParticipantObject"][0]["ParticipantObjectID"] == "abc"


def test_the_longest_state_that_settings_allow_stays_below_a_kilobyte():
    names = [f"DESTINATION_NUMBER_{n}_LONG"[:24] for n in range(6)]
    sent, asked = dict.fromkeys(names, 9999), dict.fromkeys(names[:3], f"2.25.{2**128 - 1}@1800000000")
    long = Record(State.STORED, "f" * 32, version="v" * 120, worker="w" * 38, lease=1.8e9, attempts=100, due=1.8e9,
                  send_attempts=10000, again=True, code="c" * 48, text="ä" * 3000, began=1.8e9 + 0.123456, sent=sent,
                  instances=9999, partial=True)  # fmt: skip
    trouble = ", ".join(f"{name} peer-takes-no-such-object" for name in names)
    ended = replace(long, state=State.FAILED, worker="", lease=0.0, inventory="i" * 16, ended=1.8e9 + 0.123456)
    for full in (replace(long, commitments=asked, trouble=trouble), replace(ended, commitments=asked, trouble=trouble)):
        assert len(full.encode()) <= MOST_BYTES
        read = Record.decode(full.encode())
        assert (read.state, read.sent, read.commitments) == (full.state, sent, asked)
        assert read.trouble == trouble[: len(read.trouble)]


def test_the_log_and_the_audit_trail_name_no_patient_even_where_everything_fails():
    ward = Ward(answers=AnswerSettings(refusals="report"), orthanc=OrthancSettings(url="http://orthanc"))
    ward.orthanc.receive(film("one", ImageComments="fail"))
    ward.orthanc.receive(film("two", ImagerPixelSpacing=None))
    ward.settle(ward.worker(), rounds=8)
    text = ward.log.getvalue()
    assert "unexpected-RuntimeError" in text and '"audit"' in text
    assert "Planted" not in text and "P-one" not in text and "P-two" not in text
