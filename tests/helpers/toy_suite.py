"""The suite of ``docs/adding_a_system.md``, which is about no body part: how well a blur removes noise."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.toy_system import blocks

PAGE = Path(__file__).parents[2] / "docs" / "adding_a_system.md"

exec(compile(blocks(PAGE.read_text(), "python")[1], str(PAGE), "exec"), globals())  # the names below come from there
SIDE, SUITE, Blur, Pictures, Unchanged = (
    globals()[name] for name in ("SIDE", "SUITE", "Blur", "Pictures", "Unchanged")
)
