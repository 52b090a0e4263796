"""Small text files of people's own: gradings, and what codes mean. A file of another kind is refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from monai_xray2mri.errors import InputRefused, UsageError

MAX_BYTES = 1_000_000
"""A features file has about 600 bytes; a larger one is something else."""


def text_of_file(path: Path, name: str, shape: str) -> str:
    """The text of a file of bearable size.

    Args:
        path: the file.
        name: how messages call it.
        shape: what a good file looks like, for messages.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        InputRefused: it is too large or no text.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(name, "cannot be read", error.strerror or type(error).__name__) from error
    if len(raw) > MAX_BYTES:
        raise InputRefused(name, f"must have at most {MAX_BYTES} bytes", "more", shape)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputRefused(name, "must be text in UTF-8", "it is not UTF-8", shape) from None


def json_object(text: str, name: str, shape: str) -> dict[str, Any]:
    """The JSON object in a text; a key that occurs twice is refused, of which Python would keep the last.

    Args:
        text: JSON.
        name: how messages call it.
        shape: what a good text looks like, for messages.

    Raises:
        InputRefused: it is no JSON, or no object.
    """
    try:
        content = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise InputRefused(name, "must be JSON", _reason(error), shape) from None
    if not isinstance(content, dict):
        raise InputRefused(name, "must hold a JSON object", type(content).__name__, shape)
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; Python would silently keep the last of equal keys."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


def _constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON number")


def _reason(error: Exception) -> str:
    """What is wrong, without quoting the file."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, line {error.lineno} column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
