"""UIDs as hashes: equal for equal values, different for any difference, valid."""

from __future__ import annotations

import subprocess
import sys
from types import MappingProxyType
from uuid import UUID

import numpy as np
import pytest
from pydicom import Dataset

from monai_xray2mri.core.identity import fingerprint, package_version
from monai_xray2mri.dicom.uids import dataset_digest, deterministic_uid

VALUES = [
    None,
    True,
    0,
    1,
    1.5,
    "1",
    "",
    b"1",
    [1],
    [[1]],
    [1, 2],
    {"a": 1},
    {"a": 2},
    {"a": {"b": 1}},
    np.zeros(3, np.float32),
    np.zeros(3, np.float64),
    np.zeros((3, 1), np.float32),
    np.zeros(3, np.uint8),
]


def test_different_values_have_different_fingerprints():
    assert len({fingerprint(value) for value in VALUES}) == len(VALUES)


def test_values_do_not_run_into_each_other():
    assert len({fingerprint("ab", "c"), fingerprint("a", "bc"), fingerprint("abc"), fingerprint(["ab", "c"])}) == 4


def test_order_of_mappings_and_layout_of_arrays_do_not_count():
    assert fingerprint({"a": 1, "b": {"c": 2, "d": 3}}) == fingerprint({"b": {"d": 3, "c": 2}, "a": 1})
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    assert fingerprint(array) == fingerprint(np.asfortranarray(array)) == fingerprint(array.astype(">i4"))
    assert fingerprint({"n": np.int64(3)}) == fingerprint({"n": 3})
    nested = {"m": MappingProxyType({"array": np.arange(2), "bytes": b"\1"})}
    assert fingerprint(nested) == fingerprint({"m": {"array": [0, 1], "bytes": "01"}})


def test_objects_without_defined_content_are_errors():
    with pytest.raises(TypeError, match="Cannot hash a value of type object"):
        fingerprint({"a": object()})


def test_uids_are_valid_and_the_same_in_another_process():
    uid = deterministic_uid("series", {"seed": 1, "names": ["x", "y"]})
    assert uid.is_valid and uid.startswith("2.25.") and len(uid) <= 64
    assert UUID(int=int(uid[5:])).variant == "specified in RFC 4122"
    code = (
        "from monai_xray2mri.dicom.uids import deterministic_uid as d;"
        "print(d('series', {'names': ['x', 'y'], 'seed': 1}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "123", "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.strip() == uid


def test_dataset_digest_sees_every_element_in_depth():
    def made(meaning: str) -> Dataset:
        code, dataset = Dataset(), Dataset()
        code.CodeMeaning = meaning
        dataset.PatientID, dataset.DerivationCodeSequence = "1", [code]
        return dataset

    assert dataset_digest(made("a")) == dataset_digest(made("a")) != dataset_digest(made("b"))


def test_package_version_is_a_short_text():
    assert 0 < len(package_version()) <= 48
