"""Elements of a data set whose value cannot be read.

pydicom converts a value on first use, and fails or warns with the value then. Whoever asks here first, once, keeps
patient data out of the warnings of everything that uses the header later.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydicom import Dataset
from pydicom.tag import BaseTag


def unreadable_tags(dataset: Dataset, inside_sequences: bool = False) -> frozenset[BaseTag]:
    """Tags of the elements whose value cannot be read; such an element is as good as none.

    Args:
        dataset: any data set; its values are converted, otherwise it stays as it is.
        inside_sequences: a sequence counts as unreadable if one of its items holds an unreadable value. Without it the
            items are not looked into, as for a report, whose reader takes each item for itself.

    Example:
        >>> from pydicom import Dataset
        >>> header = Dataset()
        >>> header.PatientID = "T-1"
        >>> unreadable_tags(header)
        frozenset()
    """
    return frozenset(tag for tag in list(dataset.keys()) if not _is_readable(dataset, tag, inside_sequences))


def _is_readable(dataset: Dataset, tag: BaseTag, inside_sequences: bool) -> bool:
    try:
        element = dataset[tag]
        if inside_sequences and element.VR == "SQ":
            _convert_items(element.value)
    except Exception:  # pydicom raises what the bytes provoke: ValueError, EOFError, struct.error, RecursionError
        return False
    return True


def _convert_items(items: Iterable[Dataset]) -> None:
    """Convert the values nested in a sequence; raises what the first invalid one raises."""
    for item in items:
        for element in item:
            if element.VR == "SQ":
                _convert_items(element.value)
