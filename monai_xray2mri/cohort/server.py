"""Studies on a DICOMweb server: found by QIDO-RS, fetched by WADO-RS when they are worked on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.runtime.optional import optional_library

USER: Final = "XRAY2MRI_DICOMWEB_USER"
PASSWORD: Final = "XRAY2MRI_DICOMWEB_PASSWORD"
"""Environment variables of who may read the server."""
_STUDIES_AT_ONCE: Final = 500
_PAUSE_MS: Final = 500
"""After which a server is asked again the first time."""


def is_server(source: str) -> bool:
    """Whether an input is the address of a DICOMweb server."""
    return source.startswith(("http://", "https://"))


def studies_on_server(address: str) -> Iterator[str]:
    """Study Instance UIDs that the query behind ``?`` of an address finds.

    Raises:
        UsageError: the server does not answer, or the address holds a password.
    """
    client, query = _client(address), dict(parse_qsl(urlsplit(address).query))
    start, before = 0, list[str]()
    while True:
        try:
            studies = client.search_for_studies(
                offset=start, limit=_STUDIES_AT_ONCE, fields=["NumberOfStudyRelatedInstances"], search_filters=query
            )
            found = [str(study["0020000D"]["Value"][0]) for study in studies]
        except Exception as error:  # requests, HTTP status, JSON, a study without UID
            raise _unreachable(error) from error
        if found == before:  # a server that knows no offset has given all it gives
            return
        yield from found
        if len(found) < _STUDIES_AT_ONCE:
            return
        start, before = start + len(found), found


def fetch_study(address: str, study: str, place: Path) -> None:
    """Write the objects of a study into a folder, named so that the order in which they come does not matter.

    Raises:
        InputRefused: the server does not give it.
    """
    try:
        with quiet():
            for instance in _client(address).iter_study(study):
                name = hashlib.sha256(str(instance.SOPInstanceUID).encode()).hexdigest()[:32]  # a UID may be a path
                instance.save_as(place / f"{name}.dcm", enforce_file_format=True)
    except Exception as error:
        raise InputRefused("study", "must be given by the server", type(error).__name__, "Run again later.") from error


def _client(address: str) -> Any:
    library = optional_library("dicomweb_client.api", "cohort")
    parts = urlsplit(address)
    if parts.username or parts.password:
        raise UsageError(
            "input", "must be an address without user and password", "some in it",
            f"Set ${USER} and ${PASSWORD}: addresses are written down.",
        )  # fmt: skip
    session = None
    if os.environ.get(USER):
        sessions = optional_library("dicomweb_client.session_utils", "cohort")
        session = sessions.create_session_from_user_pass(os.environ[USER], os.environ.get(PASSWORD, ""))
    client = library.DICOMwebClient(urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")), session=session)
    client.set_http_retry_params(retry=True, max_attempts=3, wait_exponential_multiplier=_PAUSE_MS)
    return client


def _unreachable(error: Exception) -> UsageError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return UsageError(
        "input", "must be a DICOMweb server that answers",
        f"status {status}" if status else type(error).__name__, "Check address, rights and query.",
    )  # fmt: skip
