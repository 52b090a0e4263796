"""State, log and audit trail name no patient."""

from __future__ import annotations

import json
from dataclasses import replace

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
    long = Record(State.STORED, "f" * 32, "i" * 16, "v" * 120, "w" * 40, 1.8e9, 3, 3, 1.8e9, True, "c" * 48, "ä" * 3000)
    full = replace(
        long, trouble="t" * 80, sent={f"DESTINATION_NUMBER_{n}_LO": 9999 for n in range(6)}, began=1.8e9, ended=1.8e9
    )
    assert len(full.encode()) <= MOST_BYTES and Record.decode(full.encode()).state is State.STORED


def test_the_log_and_the_audit_trail_name_no_patient_even_where_everything_fails():
    ward = Ward(answers=AnswerSettings(refusals="report"), orthanc=OrthancSettings(url="http://orthanc"))
    ward.orthanc.receive(film("one", ImageComments="fail"))
    ward.orthanc.receive(film("two", ImagerPixelSpacing=None))
    ward.settle(ward.worker(), rounds=8)
    text = ward.log.getvalue()
    assert "unexpected-RuntimeError" in text and '"audit"' in text
    assert "Planted" not in text and "P-one" not in text and "P-two" not in text
