"""The file of a recipe: stages by name, in MONAI's language of configurations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from monai.bundle import ConfigParser

from monai_xray2mri.errors import UsageError
from monai_xray2mri.training.recipe.stage import Stage

STAGES: Final = "stages"
NAME: Final = "name"
FREE: Final = frozenset({"threads", "nice", "comment"})
"""Entries of the file beside its stages that may be changed at any time: no result depends on them."""


class TrainingRecipe:
    """Stages of a training, in order.

    The file is JSON, read by MONAI's ``ConfigParser``: ``@name`` refers to another entry, ``$...`` is Python. Entry
    ``stages`` is a list; each of its members has a ``name``, a ``_target_`` (a class with the methods of
    :class:`~monai_xray2mri.training.recipe.stage.Stage`) and that class's arguments. Entries of one's own may stand
    beside it, ``threads`` and ``nice`` say how the machine is used, and ``imports`` names modules for ``$...``.

    Args:
        path: the file.
        given: entries that the caller knows: ``output_dir``, the folder of the state; ``bundle_root``; ``device``.

    Raises:
        UsageError: there is no such file, or it is no recipe.
    """

    def __init__(self, path: Path, given: Mapping[str, Any]) -> None:
        self.path, self.content = path, _content(path)
        self.names = _names(path, self.content)
        stages = [{key: value for key, value in stage.items() if key != NAME} for stage in self.content[STAGES]]
        self._parser = ConfigParser({**self.content, **given, STAGES: stages})

    def __len__(self) -> int:
        """Number of stages."""
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        """Names of the stages, in order."""
        return iter(self.names)

    @property
    def threads(self) -> int:
        """Threads to compute on."""
        return int(self.content.get("threads", 1))

    @property
    def niceness(self) -> int | None:
        """How far other programs of the machine go first, 0 to 19; None leaves it as it is."""
        wanted = self.content.get("nice", 10)
        return None if wanted is None else int(wanted)

    def stage(self, name: str) -> Stage:
        """Make a stage.

        Raises:
            UsageError: it cannot be made.
        """
        try:
            made: Stage = self._parser.get_parsed_content(f"{STAGES}#{self.names.index(name)}")
        except Exception as error:  # MONAI wraps whatever a class raises
            cause = error.__cause__ or error
            rule, found = "must name a class and the arguments that it takes", f"{type(cause).__name__}: {cause}"
            raise UsageError(f"stage {name}", rule, found, "Correct the recipe.") from error
        return made

    def settings(self, name: str) -> dict[str, Any]:
        """What the results of a stage depend on: its entries as the file has them, without the free ones.

        Raises:
            UsageError: see :meth:`stage`.
        """
        free = self.stage(name).free
        definition: dict[str, Any] = self.content[STAGES][self.names.index(name)]
        return {key: value for key, value in definition.items() if key not in free and key != NAME}

    def common(self) -> dict[str, Any]:
        """Entries beside the stages that all of them may depend on, as the file has them."""
        return {key: value for key, value in self.content.items() if key != STAGES and key not in FREE}


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise UsageError(f"recipe {path.name}", "must be a file", "no such file") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"recipe {path.name}", "must be a readable JSON file", type(error).__name__) from error
    if not isinstance(content, dict) or not isinstance(content.get(STAGES), list) or not content[STAGES]:
        raise UsageError(f"recipe {path.name}", f"must have a list {STAGES!r}", "none")
    return content


def _names(path: Path, content: Mapping[str, Any]) -> tuple[str, ...]:
    names = []
    for number, stage in enumerate(content[STAGES], start=1):
        missing = [key for key in (NAME, "_target_") if not isinstance(stage, dict) or key not in stage]
        if missing:
            raise UsageError(f"recipe {path.name}", f"must give stage {number} a {missing[0]}", "none")
        if stage[NAME] in names:
            raise UsageError(f"recipe {path.name}", "must name each stage once", str(stage[NAME]))
        names.append(stage[NAME])
    return tuple(names)
