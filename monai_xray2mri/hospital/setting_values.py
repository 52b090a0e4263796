"""Values of the worker's settings that a kind alone does not tell right from wrong."""

from __future__ import annotations

import ssl
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit

from monai_xray2mri.errors import UsageError


def read_secret(key: str, file: Path | None, text: str) -> str:
    """A password or token, of a file without its last line break, or else of a variable.

    Args:
        key: of the setting that names the file.
        file: None: there is none.
        text: of the variable.

    Raises:
        UsageError: the file cannot be read, or is empty.
    """
    if file is None:
        return text
    try:
        secret = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"setting {key}", "must name a readable file", type(error).__name__, "Check the secret."
        ) from error
    if not secret:
        raise UsageError(f"setting {key}", "must name a file with a secret in it", "an empty file", "Write it again.")
    return secret


def read_moment(text: str | None) -> datetime:
    """The beginning (UTC) of the day that ``studies.since`` names.

    Raises:
        UsageError: it is missing or no date.
    """
    remedy = "Give the day on which the worker was introduced, e.g. 2026-12-01; it must not change afterwards."
    if not text:
        raise UsageError("setting studies.since", "must be a date", "nothing", remedy)
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    except ValueError:
        raise UsageError("setting studies.since", "must be a date like 2026-12-01", text[:40], remedy) from None


def require_address(text: str | None) -> None:
    """Raise UsageError where ``orthanc.url`` is no http or https address, or holds a user."""
    what, rule = "setting orthanc.url", "must be an http or https address"
    remedy = "Write http://HOST:PORT; a user has keys of its own."
    try:
        parts = urlsplit(text or "")
        named = parts.hostname and (parts.port is None or parts.port)
    except ValueError as error:  # a port or an IPv6 address that is none; its text may hold a password
        raise UsageError(what, rule, "a host or port that is none", remedy) from error
    if parts.username or parts.password:
        raise UsageError(what, rule, "a user in it", remedy)
    if parts.scheme not in ("http", "https") or not named:
        raise UsageError(what, rule, (text or "nothing")[:80], remedy)


def require_certificates(file: Path | None, url: str) -> None:
    """Raise UsageError where ``orthanc.ca_file`` holds no certificates, or the address does not ask for any."""
    if file is None:
        return
    what = "setting orthanc.ca_file"
    if urlsplit(url).scheme != "https":
        raise UsageError(what, "needs an https address in orthanc.url", "http", "Leave it out, or turn TLS on.")
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:  # ssl.SSLError is one
        found = "no certificate" if isinstance(error, ssl.SSLError) else error.strerror or "an error"
        raise UsageError(what, "must name a readable file of certificates", found, "Give them as PEM.") from error
