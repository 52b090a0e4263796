"""What a study's folder holds and nobody opens: packed files, and links that lead to folders or nowhere.

Archives are named, not unpacked: who packed a study knows what is in it, and what unpacks files of strangers has to
fear bombs and paths that lead out of the folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MAGIC: Final = (
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"PK\x05\x06", "a zip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"\x1f\x8b", "a gzip file"),
    (0, b"BZh", "a bzip2 file"),
    (0, b"\xfd7zXZ\x00", "an xz file"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd file"),
    (257, b"ustar", "a tar archive"),
    (32769, b"CD001", "an image of a disc"),
)
"""Where the formats of archives begin, and how."""
_DOCUMENTS: Final = (".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".jar", ".apk", ".epub", ".nii.gz")
"""Ends of names of what is packed and no study."""


def archive_kind(file: Path) -> str:
    """What a packed file is, by its content; empty for anything else.

    Args:
        file: any file; it is not unpacked.
    """
    if file.name.lower().endswith(_DOCUMENTS):
        return ""
    try:
        with file.open("rb") as stream:
            for place, magic, kind in _MAGIC:
                stream.seek(place)
                if stream.read(len(magic)) == magic:
                    return kind
    except OSError:
        return ""
    return ""


def links_not_followed(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and kind of the links below a folder that lead to folders, or nowhere.

    Args:
        folder: of a study; links to files in it are followed and not named.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not path.is_file():
            kind = "a link to a folder" if path.is_dir() else "a link that leads nowhere"
            yield str(path.relative_to(folder)), kind
