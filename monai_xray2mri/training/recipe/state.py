"""Which stages of a recipe have begun in a folder, and as what: another recipe's state is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.training.recipe.reading import TrainingRecipe

FORMAT: Final = "monai_xray2mri recipe state 1"
_REMEDY: Final = "Put the recipe back, or name another folder and start anew."


class RecipeState:
    """What a folder's ``recipe.json`` says: the settings with which stages began. What they have done they know.

    Args:
        folder: of the state.

    Raises:
        UsageError: its file is damaged or of another program.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "recipe.json"
        self.common: dict[str, Any] | None = None
        self.begun: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        try:
            content = json.loads(self.path.read_text())
        except (OSError, ValueError) as error:
            raise UsageError(self._what, "must have a readable recipe.json", type(error).__name__, _REMEDY) from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise UsageError(self._what, f"must hold a {FORMAT!r}", "something else", _REMEDY)
        self.common, self.begun = content["common"], content["begun"]

    @property
    def _what(self) -> str:
        return f"state folder {self.folder.name}"

    def check(self, recipe: TrainingRecipe) -> None:
        """Refuse a recipe in which a stage that has begun is missing, comes in another order, or is another one.

        Raises:
            UsageError: it is; the message says what differs.
        """
        if self.common is None:
            return
        if missing := [name for name in self.begun if name not in recipe.names]:
            raise UsageError(self._what, "must be of this recipe", f"a stage {missing[0]} has begun in it", _REMEDY)
        order = [name for name in recipe.names if name in self.begun]
        if order != list(self.begun):
            found = f"{', '.join(self.begun)} instead of {', '.join(order)}"
            raise UsageError(self._what, "must have the stages in this order", found, _REMEDY)
        ours = recipe.common()
        # What only one of the two has is used by no stage that has begun, or its settings differ.
        shared = self.common.keys() & ours.keys()
        theirs, ours = ({key: entries[key] for key in sorted(shared)} for entries in (self.common, ours))
        self._compare("the recipe", theirs, ours)
        for name, settings in self.begun.items():
            self._compare(f"stage {name}", settings, recipe.settings(name))

    def _compare(self, part: str, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
        differences = [
            f"{key} {_shown(theirs, key)} instead of {_shown(ours, key)}"
            for key in {**theirs, **ours}
            if theirs.get(key) != ours.get(key)
        ]
        if differences:
            raise UsageError(self._what, f"must be of {part} as it is", "; ".join(differences), _REMEDY)

    def begin(self, recipe: TrainingRecipe, name: str) -> None:
        """Note that a stage begins, whole or not at all; one that has begun stays as it is.

        Raises:
            UsageError: the folder cannot be written.
        """
        if name in self.begun:
            return
        self.common = recipe.common()
        self.begun = {**self.begun, name: recipe.settings(name)}
        begun = {stage: self.begun[stage] for stage in recipe.names if stage in self.begun}
        content = {"format": FORMAT, "common": self.common, "begun": begun}
        write_whole(self.path, json.dumps(content, indent=2).encode())


def _shown(settings: dict[str, Any], key: str) -> str:
    return json.dumps(settings[key]) if key in settings else "nothing"
