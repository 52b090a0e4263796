"""One of several parts of some work, each done by a process or machine of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from monai_xray2mri.errors import UsageError


@dataclass(frozen=True)
class Shard:
    """Part ``number`` (from 1) of ``of``."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str, option: str = "part") -> Shard:
        """From ``I/N``.

        Args:
            text: see above.
            option: name of the option that it was given by.

        Raises:
            UsageError: it is not that.

        Example:
            >>> Shard.parse("3/7")
            Shard(number=3, of=7)
        """
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise UsageError(f"option {option}", "must be I/N with I from 1 to N", text[:40])
        return cls(int(number), int(of))

    def holds(self, index: int) -> bool:
        """Whether the item of this index belongs to it, where every ``of``-th does."""
        return index % self.of == self.number - 1

    def divided(self, count: int) -> tuple[Shard, ...]:
        """This part in ``count`` parts, which together hold what it holds.

        Example:
            >>> Shard(2, 3).divided(2)
            (Shard(number=2, of=6), Shard(number=5, of=6))
        """
        return tuple(Shard(self.number + self.of * place, self.of * count) for place in range(count))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def suffix(self) -> str:
        """Of a file of its own, so that processes do not write into one: ``.3of7``; empty for the only one."""
        return "" if self.of == 1 else f".{self.number}of{self.of}"


WHOLE: Final = Shard()
"""All of the work."""
