"""Values that stand for no value: what forms, devices and de-identification write where nothing is known."""

from __future__ import annotations

import re
from typing import Final

from pydicom import Dataset
from pydicom.multival import MultiValue

_SILENT: Final = frozenset(
    {
        "", "NONE", "NO", "N/A", "NA", "NULL", "NIL", "EMPTY", "BLANK", "DEFAULT", "OTHER", "OTHERS", "MISC", "UNKNOWN",
        "UNK", "UNDEFINED", "UNSPECIFIED", "NOTSPECIFIED", "NOTDEFINED", "NOTAPPLICABLE", "NOTAVAILABLE", "NOTSET",
        "UNASSIGNED", "UNCLASSIFIED", "ANY", "ANONYMIZED", "ANONYMISED", "ANON", "ANONYMOUS", "DEIDENTIFIED", "REMOVED",
        "DELETED", "REDACTED", "CLEARED", "XXX", "XXXX", "TEST",
    }
)  # fmt: skip


def is_placeholder(value: str) -> bool:
    """Whether a code string says nothing: ``NONE``, ``UNDEFINED``, ``N/A``, ``ANONYMIZED``, punctuation alone.

    Example:
        >>> [is_placeholder(value) for value in ("not specified", "**", "CHEST")]
        [True, True, False]
    """
    bare = re.sub(r"[\s_.*?<>()\[\]-]", "", value).upper()
    return bare in _SILENT or bare.strip("/\\") == ""


def code_text(dataset: Dataset, keyword: str) -> str:
    r"""The value of a code string as text, several values joined as DICOM stores them (``R\L``); empty if absent."""
    value = dataset.get(keyword)
    if value is None:
        return ""
    return "\\".join(str(one) for one in value).strip() if isinstance(value, (MultiValue, list)) else str(value).strip()


def shown_code(value: str) -> str:
    """A value that looks like a code; anything else could be free text and is not quoted in messages."""
    return value if re.fullmatch(r"[A-Z0-9 _/\\+.-]{1,16}", value) else "of another kind"
