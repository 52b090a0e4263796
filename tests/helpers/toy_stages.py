"""A stage of a recipe that counts, one file per unit."""

from __future__ import annotations

from pathlib import Path

from monai_xray2mri.training.recipe.stage import Progress, Turn


class Counting:
    """Writes ``folder/NUMBER`` for each of some units, with what ``mark`` says; needs the files of another stage."""

    free = frozenset({"units"})

    def __init__(self, folder: str, units: int, mark: str = "", after: str | None = None, lazy: bool = False) -> None:
        self.folder, self.units, self.mark, self.after, self.lazy = Path(folder), units, mark, after, lazy

    def progress(self) -> Progress:
        return Progress(len(list(self.folder.glob("*"))), self.units, "files")

    def work(self, turn: Turn) -> None:
        if self.after is not None:
            assert list(Path(self.after).glob("*"))
        self.folder.mkdir(parents=True, exist_ok=True)
        for number in range(self.units):
            file = self.folder / str(number)
            if turn.over() or self.lazy:
                return
            if not file.exists():
                file.write_text(self.mark)
                turn.tell()
