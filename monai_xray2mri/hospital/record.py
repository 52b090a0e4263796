"""What the worker writes on a study: its state, which is a line of JSON, and what a result consists of."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

MOST_BYTES: Final = 1000
"""Of a state. Orthanc keeps metadata in its database and gives it with every list."""
LOSABLE: Final = 16_384
"""Bytes that a file needs so that a full disk cannot lose it unseen.

Orthanc 1.10.1 learns that a disk is full when its buffer is written out. It does not look whether that was possible for
what was left in the buffer at the end, and answers 200 for a small file of which the disk has nothing (tried: up to
4,000 bytes, not from 8,000). Its cache gives the file back until Orthanc is started again. A larger file gets HTTP 500.
"""
_LONGEST_TEXT: Final = 300


class State(StrEnum):
    """Where a study stands."""

    WAITING = "waiting"
    """It was given back, or is to be tried again."""
    CLAIMED = "claimed"
    """A worker is at it; nothing was stored."""
    MADE = "made"
    """The result is known by its UIDs; some of it may be stored."""
    STORED = "stored"
    """Orthanc holds the whole result; some destinations may have it."""
    SENT = "sent"
    """Every destination has acknowledged every instance; storage commitment may be outstanding."""
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    PASSED = "passed"
    """Its images are of something that the system is not for; nobody is told."""


FINAL: Final = frozenset((State.DONE, State.REFUSED, State.FAILED, State.PASSED))
"""States that last until something changes."""


@dataclass(frozen=True)
class Record:
    """The state of a study.

    Attributes:
        state: where it stands.
        fingerprint: of the sources that it is about.
        inventory: of everything in the study when it became final: what is unchanged needs no second look.
        version: of the worker and its bundle.
        worker: who is at it; empty: nobody.
        lease: until when, in seconds since 1970 by Orthanc's clock.
        attempts: at making a result, also those that a killed worker began.
        send_attempts: at sending it.
        due: when the next attempt is due, by the same clock.
        again: somebody asked for another attempt although the last one ended.
        code: why it was refused, or failed last: short and stable.
        text: the same in words, without patient data.
        trouble: which destinations did not take everything last, and why.
        began: when the study was claimed first.
        ended: when it became final.
        sent: instances that each destination has acknowledged.
        commitments: Transaction UID and time of asking, of each destination that was asked; ``"ok"`` if it committed.
        instances: number of instances of the result.
        partial: whether a part of the study was refused.
    """

    state: State
    fingerprint: str
    inventory: str = ""
    version: str = ""
    worker: str = ""
    lease: float = 0.0
    attempts: int = 0
    send_attempts: int = 0
    due: float = 0.0
    again: bool = False
    code: str = ""
    text: str = ""
    trouble: str = ""
    began: float = 0.0
    ended: float = 0.0
    sent: Mapping[str, int] = field(default_factory=dict)
    commitments: Mapping[str, str] = field(default_factory=dict)
    instances: int = 0
    partial: bool = False

    @property
    def is_final(self) -> bool:
        """Whether nothing is to be done until something changes."""
        return self.state in FINAL

    def encode(self) -> bytes:
        """JSON below 1 KB, with a nonce, so that equal states differ.

        What people read is cut where it must be: first the text, then the trouble. The rest is below 1 KB because the
        settings limit the number of destinations and the length of their names.
        """
        text, trouble = self.text[:_LONGEST_TEXT], self.trouble[:_LONGEST_TEXT]
        while len(content := self._encoded(text, trouble)) > MOST_BYTES and (text or trouble):
            text, trouble = text[: len(text) * 3 // 4], trouble if text else trouble[: len(trouble) * 3 // 4]
        return content

    def _encoded(self, text: str, trouble: str) -> bytes:
        words = replace(self, text=text, trouble=trouble)
        values = {name: value for name, value in asdict(words).items() if value not in ("", 0, {}, False)}
        values["lease"], values["due"] = round(self.lease), round(self.due)
        values |= {name: round(values[name], 1) for name in ("began", "ended") if name in values}
        values |= {"v": 1, "n": secrets.token_hex(6)}
        return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def decode(cls, content: bytes | str | None) -> Record | None:
        """The state that was written; None where there is none, or one that cannot be read."""
        values = _parsed(content)
        try:
            known = {name: value for name, value in values.items() if name in cls.__dataclass_fields__}
            return cls(**{**known, "state": State(values["state"])}) if values else None
        except (KeyError, TypeError, ValueError):
            return None


@dataclass(frozen=True)
class Instance:
    """An instance of a result.

    Attributes:
        id: identifier in Orthanc.
        uid: SOP Instance UID.
        kind: SOP Class UID.
        series: Series Instance UID.
        digest: MD5 of its file.
    """

    id: str
    uid: str
    kind: str
    series: str
    digest: str


@dataclass(frozen=True)
class Manifest:
    """What a result consists of; written before the first instance is stored.

    Attributes:
        fingerprint: of the sources that it was made of.
        outcome: ``"done"`` or ``"refused"`` (an answer that says why).
        instances: of the result.
        replaces: of earlier results that are still there, or whose note of rejection is part of this result.
        stored: whether Orthanc has held all of it.
    """

    fingerprint: str
    outcome: str
    instances: tuple[Instance, ...]
    replaces: tuple[Instance, ...] = ()
    stored: bool = False

    def encode(self) -> bytes:
        """JSON with a nonce that makes it too large to be lost (:data:`LOSABLE`)."""
        return json.dumps({**asdict(self), "v": 1, "n": secrets.token_hex(LOSABLE // 2)}).encode()

    @classmethod
    def decode(cls, content: bytes | None) -> Manifest | None:
        """What was written; None where there is nothing, or what cannot be read."""
        values = _parsed(content)
        try:
            lists = {name: tuple(Instance(**one) for one in values[name]) for name in ("instances", "replaces")}
            return cls(values["fingerprint"], values["outcome"], stored=bool(values["stored"]), **lists)
        except (KeyError, TypeError):
            return None


def _parsed(content: bytes | str | None) -> dict[str, Any]:
    try:
        values = json.loads(content or b"{}")
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}
