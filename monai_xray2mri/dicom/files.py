"""DICOM files in two steps: the header, parsed once, and later the pixels of those files that are used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.tag import Tag

from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.readable import unreadable_tags

_PREAMBLE = 132
_PIXEL_DATA = Tag("PixelData")


def read_header(path: Path, keywords: Sequence[str] | None = None) -> Dataset | None:
    """The header of a DICOM file without its pixels (of a report: all of it) and without damaged values at the top.

    Args:
        path: a file with or without preamble.
        keywords: of the only elements that are wanted, SOPClassUID and StudyInstanceUID among them; None: all.

    Returns:
        The header with its file meta information; None for anything that is not DICOM.
    """
    with quiet():
        try:
            with path.open("rb") as stream:
                part_10 = stream.read(_PREAMBLE).endswith(b"DICM")
            header = dcmread(
                path,
                stop_before_pixels=True,
                force=not part_10,
                specific_tags=None if keywords is None else list(keywords),
            )
            known = part_10 or ("SOPClassUID" in header and "StudyInstanceUID" in header)
            for tag in unreadable_tags(header):
                del header[tag]
        except Exception:  # a damaged file fails anywhere in the parser; it is like a file that is not DICOM
            return None
    return header if known else None


def with_pixels(header: Dataset, path: Path, keywords: Iterable[str] = ()) -> Dataset:
    """A header and the Pixel Data (7FE0,0010) of its file; nothing else is parsed again.

    Args:
        header: of :func:`read_header` or of pydicom; it is not changed.
        path: its file.
        keywords: of elements that are wanted even if their value cannot be read, so that the caller can say so.

    Returns:
        A new data set; without Pixel Data if the file has none, or if it is compressed and cut off.

    Raises:
        Exception: pydicom and zlib raise many kinds for damaged files.
    """
    whole = Dataset()
    whole.update(header)
    whole.file_meta = header.file_meta
    whole.set_original_encoding(*header.original_encoding)
    wanted = [_PIXEL_DATA, *map(Tag, keywords)]
    part = dcmread(path, force=True, specific_tags=list(wanted))
    for tag in wanted:
        if tag in part and tag not in whole:
            whole[tag] = part.get_item(tag)
    return whole
