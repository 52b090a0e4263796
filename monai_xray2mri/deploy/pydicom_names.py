"""Lets MONAI Label 0.8.5 start beside pydicom 3, which this package needs.

MONAI Label imports pydicom-seg 0.4.1, and that one constant from ``pydicom._storage_sopclass_uids``, a module that
pydicom 3 no longer has; the constant lives in ``pydicom.uid`` since pydicom 2. A finder gives the old name to the new
module. Where pydicom still has the module itself, or nobody asks for it, nothing happens.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

OLD_NAME, NEW_NAME = "pydicom._storage_sopclass_uids", "pydicom.uid"


class OldNameFinder(MetaPathFinder, Loader):
    """Finds pydicom's former module of storage classes where no other finder does."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """A spec for the former name; None for every other module."""
        return ModuleSpec(name, self) if name == OLD_NAME else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """An empty module, as usual."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module with the UIDs of its successor."""
        module.__dict__.update(
            {name: value for name, value in vars(import_module(NEW_NAME)).items() if not name.startswith("_")}
        )


def know_old_name() -> None:
    """Add the finder, behind all others, once."""
    if not any(isinstance(finder, OldNameFinder) for finder in sys.meta_path):
        sys.meta_path.append(OldNameFinder())
