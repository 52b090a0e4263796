"""Kinds of files in a study: a system says which it takes, :func:`~monai_xray2mri.dicom.study.read_study` sorts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Kind:
    """A kind of file that a system takes from a study.

    Attributes:
        name: how messages call such files, in the plural: ``"radiographs"``.
        modalities: Modality (0008,0060) of its DICOM objects.
        suffixes: ends of names of files of this kind that are not DICOM, in small letters: ``(".png",)``.
        formats: what people call these files: ``("PNG",)``.
        single_suffixes: ends of names that are of this kind only where the file itself is the source, not in a folder.
        one_study: all of them must belong to one patient and to one study.
    """

    name: str
    modalities: tuple[str, ...]
    suffixes: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    single_suffixes: tuple[str, ...] = ()
    one_study: bool = False


REPORTS: Final = Kind("reports", ("SR",))
"""Structured reports."""
