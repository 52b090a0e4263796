"""Silence of the libraries that read patients' data: nested, in threads, and ended as it was."""

from __future__ import annotations

import logging
import threading
import warnings

import pytest

from monai_xray2mri.dicom.quiet import quiet


def test_nested_blocks_are_quiet_to_the_end_of_the_outer_one(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("pydicom")
    filters = list(warnings.filters)
    with quiet():
        with quiet():
            logger.warning("inner")
        logger.warning("outer")
        with pytest.warns(UserWarning, match="heard"):  # a filter of somebody else, below ours
            warnings.warn("heard", stacklevel=1)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with quiet():
                warnings.warn("not heard", stacklevel=1)
    assert not caplog.records
    assert warnings.filters == filters
    logger.warning("after")
    assert [record.message for record in caplog.records] == ["after"]


def test_a_logger_that_is_made_meanwhile_is_quiet_too(caplog: pytest.LogCaptureFixture) -> None:
    with quiet():
        late = logging.getLogger("pydicom.made_meanwhile")
        with quiet():
            late.warning("patient")
    assert not caplog.records
    late.warning("after")
    assert len(caplog.records) == 1


def test_one_threads_end_does_not_end_anothers_silence(caplog: pytest.LogCaptureFixture) -> None:
    logger, entered, leave = logging.getLogger("pydicom"), threading.Event(), threading.Event()

    def other() -> None:
        with quiet():
            entered.set()
            leave.wait(10)
            logger.warning("patient")

    with quiet():
        thread = threading.Thread(target=other)
        thread.start()
        entered.wait(10)
    leave.set()
    thread.join()
    assert not caplog.records
