"""The suite of ``docs/adding_a_system.md``, which is about no body part: how well a blur removes noise."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.toy_system import blocks

PAGE = Path(__file__).parents[2] / "docs" / "adding_a_system.md"

_SYSTEM, _SUITE = (dict(__name__=__name__) for _ in range(2))  # the modules of the page
for _module, _code in zip((_SYSTEM, _SUITE), blocks(PAGE.read_text(), "python"), strict=False):
    exec(compile(_code, str(PAGE), "exec"), _module)
SIDE, SUITE, BlurMethod, Pictures, Unchanged = (
    _SUITE[name] for name in ("SIDE", "SUITE", "BlurMethod", "Pictures", "Unchanged")
)
PREDICTOR = _SYSTEM["Blurrer"]("blur 0.1")
