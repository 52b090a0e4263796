"""Which participant trains, validates and tests: by the participant's number alone, so that growing moves nobody.

Wang 2024a divides 7:1:2 into training, validation and test, Wang 2024b 7:3 into training and validation. Both say
"randomly" and by pairs; here the unit is the participant, so that no one's knees stand on two sides.
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
    """``"training"``, ``"validation"`` or ``"test"``.

    Args:
        participant: seven digits.
        protocol: ``"000"`` for 7:1:2, ``"001"`` for 7:3; both train on the same participants.
        seed: another number makes another division.
        seed_range: of a simulated release, the simulator's seed range. Only knees of the training range are divided;
            those of the validation range all validate and those of every other range all test, whatever their number.

    Raises:
        UsageError: unknown protocol.
        ValueError: `participant` is no participant number.
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
