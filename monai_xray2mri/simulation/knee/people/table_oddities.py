"""What is odd in OAI's real tables, to be put into simulated ones (docs/knee/oai.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import torch

from monai_xray2mri.errors import UsageError


@dataclass(frozen=True)
class TableOddities:
    """Oddities of tables; shares are probabilities from 0 to 1 per row, or per value where it says so.

    Attributes:
        coded_values: write values with their meaning, as newer downloads do: ``1: Right``, ``2: Grade 2``.
        lower_case_columns: write the names of columns in lower case.
        lost_leading_zeros: write barcodes as numbers, without their leading 0.
        padded_text: blanks behind descriptions.
        project_42: write READPRJ 42 where 37 is meant.
        barcodes_t: share of readings whose barcode is ``T``.
        missing_forms: share of values of readings that are ``.: Missing Form/Incomplete Workbook``.
        decimals: share of narrowing grades of 1 or 2 that carry a change within the grade, as in follow-up visits:
            1.2, 1.4 ... 1.8.
        above_range: share of the values where OAI goes beyond Table I's range (attrition, medial tibial cysts) that
            are raised to 2.
        disagreements: share of second readings (project 37) in which KL is another one.
        duplicate_rows: share of rows that stand in the table twice.
        unreadable_films: share of films that quality control refused (``NR``).
    """

    coded_values: bool = False
    lower_case_columns: bool = False
    lost_leading_zeros: bool = False
    padded_text: bool = False
    project_42: bool = False
    barcodes_t: float = 0.0
    missing_forms: float = 0.0
    decimals: float = 0.0
    above_range: float = 0.0
    disagreements: float = 0.0
    duplicate_rows: float = 0.0
    unreadable_films: float = 0.0

    def __post_init__(self) -> None:
        """Refuse numbers that are no shares.

        Raises:
            UsageError: naming the share.
        """
        for item in fields(self):
            share = getattr(self, item.name)
            if not 0.0 <= float(share) <= 1.0:
                raise UsageError(f"table oddity {item.name}", "must be a share from 0 to 1", str(share))

    @classmethod
    def oai(cls) -> TableOddities:
        """All that occurs in OAI's newer downloads of a baseline visit, somewhat more often than there.

        Two are known as frequent: 2 % of second readings disagree, 24 of 6,961 films are NR. The other shares are
        chosen so that a hundred participants meet each.
        """
        return cls(
            coded_values=True,
            lost_leading_zeros=True,
            padded_text=True,
            project_42=True,
            barcodes_t=0.01,
            missing_forms=0.003,
            above_range=0.3,
            disagreements=0.02,
            duplicate_rows=0.01,
            unreadable_films=0.01,
        )

    def value(self, code: int, meaning: str) -> str:
        """A value in the encoding of these tables: ``1`` or ``1: Right``."""
        return f"{code}: {meaning}" if self.coded_values else str(code)

    def barcode(self, barcode: str) -> str:
        """A barcode of twelve digits as these tables hold it."""
        return barcode.lstrip("0") if self.lost_leading_zeros else barcode

    def with_duplicates(self, rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
        """The rows, some of them twice; which ones depends on the row alone."""
        result: list[Sequence[str]] = []
        for row in rows:
            digest = hashlib.sha256("|".join(row).encode()).digest()
            twice = int.from_bytes(digest[:4], "big") < self.duplicate_rows * 2**32
            result += [row, row] if twice else [row]
        return result


NO_ODDITIES: Final = TableOddities()
"""Tables as one would wish them: numbers alone, every value there."""


def chances(generator: torch.Generator, count: int) -> list[float]:
    """So many numbers between 0 and 1."""
    drawn: list[float] = torch.rand(count, generator=generator, dtype=torch.float64).tolist()
    return drawn
