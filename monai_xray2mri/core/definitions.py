"""Objects that a bundle's configuration defines, without loading MONAI for the few forms that networks need.

``import monai`` takes several seconds of a CPU, more than sampling a volume. A network's definition holds class names
(``_target_``), references (``@name#key#0``) and short expressions (``$4 * @name#key``); these are read here as
:class:`monai.bundle.ConfigParser` reads them, and everything else is left to it. A test compares both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

_REFERENCE: Final = re.compile(r"@(\w+(?:#\w+)*)")
_ELSE: Final = re.compile(r"::|@#|%\w|^\$\s*(?:import|from)\s")
"""Forms that are MONAI's business: other separators, relative references, macros, imports."""
_KEYWORDS: Final = frozenset({"_mode_", "_requires_", "_disabled_", "_desc_"})


class _MonaisBusiness(Exception):
    """The definition has a form that is not read here."""


def defined_object(file: Path, name: str) -> Any:
    """The object that an entry of a configuration defines.

    Args:
        file: a JSON file of a bundle. It may name any class and hold expressions: it is code, as with MONAI.
        name: of the entry, e.g. ``network_def``.

    Raises:
        Exception: whatever the file, its classes or MONAI raise.
    """
    try:
        return _Definitions(json.loads(file.read_text())).resolved(name)
    except _MonaisBusiness:
        from monai.bundle import ConfigParser

        parser = ConfigParser()
        parser.read_config(str(file))
        return parser.get_parsed_content(name)


class _Definitions:
    """A configuration while objects are made of it; each entry becomes one object, however often it is referred to."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content
        self._made: dict[str, Any] = {}

    def resolved(self, name: str) -> Any:
        """The entry of a name, its parts separated by ``#``."""
        if name not in self._made:
            self._made[name] = self._value(self._entry(name), name)
        return self._made[name]

    def _entry(self, name: str) -> Any:
        found: Any = self._content
        for part in name.split("#"):
            found = found[int(part)] if isinstance(found, list) else found[part]
        return found

    def _value(self, entry: Any, name: str) -> Any:
        if isinstance(entry, str):
            return self._text(entry)
        if isinstance(entry, list):
            return [self.resolved(f"{name}#{place}") for place in range(len(entry))]
        if not isinstance(entry, dict):
            return entry
        if _KEYWORDS & entry.keys():
            raise _MonaisBusiness
        values = {key: self.resolved(f"{name}#{key}") for key in entry if key != "_target_"}
        if "_target_" not in entry:
            return values
        module, _, attribute = str(entry["_target_"]).rpartition(".")
        if not module:  # MONAI finds its own classes by their bare names
            raise _MonaisBusiness
        return getattr(import_module(module), attribute)(**values)

    def _text(self, text: str) -> Any:
        if _ELSE.search(text):
            raise _MonaisBusiness
        if match := _REFERENCE.fullmatch(text):
            return self.resolved(match[1])
        if not text.startswith("$"):
            return text
        names = list(dict.fromkeys(_REFERENCE.findall(text)))
        values = {f"_{place}": self.resolved(name) for place, name in enumerate(names)}
        expression = _REFERENCE.sub(lambda match: f"_{names.index(match[1])}", text[1:])
        return eval(expression, values)  # as globals: comprehensions see nothing else
