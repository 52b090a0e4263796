"""Irregularities of OAI's real tables, for simulated ones (docs/knee/oai.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import torch

from monai_xray2mri.errors import UsageError


@dataclass(frozen=True)
class TableOddities:
    """Irregularities of tables. Shares are probabilities from 0 to 1, drawn for each row or value.

    Attributes:
        coded_values: write values with their meaning, as newer downloads do: ``1: Right``, ``2: Grade 2``.
        lower_case_columns: write the names of columns in lower case.
        lost_leading_zeros: write barcodes as numbers, without leading zeros.
        padded_text: append blanks to descriptions.
        project_42: write READPRJ 42 instead of 37.
        barcodes_t: share of rows of readings whose barcode is ``T``.
        missing_forms: share of values of readings that are ``.: Missing Form/Incomplete Workbook``.
        decimals: share of narrowing grades 1 and 2 with a decimal (1.2, 1.4, 1.6, 1.8). At follow-up visits OAI's
            decimals give a change within the grade.
        above_range: share of values that are raised from 1 to 2, for attrition and medial tibial cysts. OAI exceeds the
            range of Table I in these features.
        disagreements: share of second readings (project 37) with another KL grade than the first.
        duplicate_rows: share of rows that the table holds twice.
        unreadable_films: share of films that quality control rejected (``NR``).
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
        """Check the shares.

        Raises:
            UsageError: a share is not within 0 to 1; the message names it.
        """
        for item in fields(self):
            share = getattr(self, item.name)
            if not 0.0 <= float(share) <= 1.0:
                raise UsageError(f"table oddity {item.name}", "must be a share from 0 to 1", str(share))

    @classmethod
    def oai(cls) -> TableOddities:
        """The irregularities of OAI's newer downloads of a baseline visit, more frequent than there.

        Two frequencies are known: 2 % of second readings disagree, and 24 of 6,961 films are NR. The other shares are
        high enough for each irregularity to occur among a hundred participants.
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
        """A barcode of twelve digits in the form of these tables."""
        return barcode.lstrip("0") if self.lost_leading_zeros else barcode

    def with_duplicates(self, rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
        """The rows, some of them twice. Whether a row is doubled depends only on its content."""
        result: list[Sequence[str]] = []
        for row in rows:
            digest = hashlib.sha256("|".join(row).encode()).digest()
            twice = int.from_bytes(digest[:4], "big") < self.duplicate_rows * 2**32
            result += [row, row] if twice else [row]
        return result


NO_ODDITIES: Final = TableOddities()
"""Regular tables: plain numbers, no missing value."""


def chances(generator: torch.Generator, count: int) -> list[float]:
    """``count`` random numbers in [0,1)."""
    drawn: list[float] = torch.rand(count, generator=generator, dtype=torch.float64).tolist()
    return drawn
