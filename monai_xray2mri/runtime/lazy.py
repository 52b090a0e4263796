"""Public names of a package that are imported when they are first asked for, so that a light import stays light."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package that hands on names of its modules (PEP 562).

    Args:
        package: its ``__name__``.
        modules: public name to the module below the package that holds it: ``{"write_whole": "files"}``.

    Example:
        In ``animals/__init__.py``::

            __all__ = ["Cat"]
            __getattr__, __dir__ = lazy_names(__name__, {"Cat": "cats"})
    """

    def find(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{modules[name]}"), name)

    def names() -> list[str]:
        return sorted(modules)

    return find, names
