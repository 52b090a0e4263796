"""The loop under anything that a hospital may do in any order, found by hypothesis: nothing lost, nothing doubled."""

from __future__ import annotations

import pytest

from tests.helpers.dicom_objects import played_with_orthanc
from tests.helpers.hospital_machine import EXAMPLES, Hospital

TestHospital = Hospital.TestCase
TestHospital.settings = EXAMPLES


def test_the_same_holds_over_a_real_orthanc():
    found = played_with_orthanc("machine_session.py", timeout=600)
    if "missing" in found:
        pytest.skip("libfaketime (Debian package faketime) is not installed: Orthanc's clock cannot be set")
    assert found["examples"] >= 20 and found["studies checked"] >= 10 and found["requests"] >= 1500
