"""The worker's tests need its extra; where it is not installed they are left out, and the header says so."""

from __future__ import annotations

from importlib.util import find_spec

MISSING = [name for name in ("httpx", "hypothesis", "pynetdicom") if find_spec(name) is None]
collect_ignore_glob = ["test_*.py"] if MISSING else []


def pytest_report_header() -> str:
    return f"tests/hospital is left out: {', '.join(MISSING)} not installed (extra test)" if MISSING else ""
