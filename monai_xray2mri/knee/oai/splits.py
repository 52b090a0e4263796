"""Splits participants into training, validation and test.

The split depends only on the participant number, so a participant keeps it when the release grows. Wang 2024a divides
7:1:2 into training, validation and test, Wang 2024b 7:3 into training and validation, both "randomly" and by pairs of
images. Here the unit is the participant, so both knees of one participant are in the same split.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal

from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.oai.tables import participant_number

Protocol = Literal["000", "001"]

SPLITS: Final = ("training", "validation", "test")
_BOUNDS: Final[dict[str, tuple[tuple[float, str], ...]]] = {
    "000": ((0.7, "training"), (0.8, "validation"), (1.0, "test")),
    "001": ((0.7, "training"), (1.0, "validation")),
}


def split_of(participant: str, protocol: Protocol = "000", seed: int = 0, seed_range: str | None = None) -> str:
    """The split of a participant: ``"training"``, ``"validation"`` or ``"test"``.

    Args:
        participant: participant number of seven digits.
        protocol: ``"000"`` for 7:1:2, ``"001"`` for 7:3; both have the same training participants.
        seed: seed of the division.
        seed_range: seed range of a simulated release; None for a real one. Only the training range is divided. All
            knees of the validation range are validation knees, those of all other ranges are test knees.

    Raises:
        UsageError: the protocol is unknown.
        ValueError: ``participant`` is not a participant number.
    """
    if protocol not in _BOUNDS:
        raise UsageError("protocol", f"must be one of {', '.join(_BOUNDS)}", str(protocol))
    if participant_number(participant) is None:
        raise ValueError("a participant number has seven digits")
    if seed_range is not None and seed_range != "training":
        return "validation" if seed_range == "validation" else "test"
    digest = hashlib.sha256(f"{seed}/{participant}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return next(name for bound, name in _BOUNDS[protocol] if place < bound)
