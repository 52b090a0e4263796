"""The disk of a soak's Orthanc."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class Disk:
    """A disk in memory for Orthanc's files, which can be full without anything else being so.

    Args:
        folder: where it is mounted; this process must have a mount namespace of its own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=90%", "tmpfs", str(folder)], check=True)

    def fill(self) -> None:
        """Leave no room."""
        status = os.statvfs(self.folder)
        self._resize(str((status.f_blocks - status.f_bfree) * status.f_frsize))

    def empty(self) -> None:
        """Give the room back."""
        self._resize("90%")

    def _resize(self, size: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder)], check=False)
