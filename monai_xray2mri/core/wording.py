"""Sentences that every output says in the same words."""

from __future__ import annotations

DISCLAIMER = (
    "SYNTHETIC: generated from a radiograph, not acquired. Not for clinical use. "
    "It can show structures that are not there and miss ones that are."
)

RED_LINE = "Research only, not for clinical use: the MRI is generated from a radiograph, not acquired."
"""Stands in the help of commands."""
