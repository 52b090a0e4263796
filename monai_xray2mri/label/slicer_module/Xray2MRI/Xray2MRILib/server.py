"""Asking a MONAI Label server for a synthetic volume. Knows nothing of Slicer, so that it can be tested without it.

It works with the app of monai_xray2mri and with MONAI Label's own ``monaibundle`` app, which knows neither features nor
uncertainty.
"""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

WARNING = (
    "SYNTHETIC: generated from a radiograph, not acquired. Not for clinical use. "
    "It can show structures that are not there and miss ones that are."
)
"""Shown with every volume; a server that sends its own words replaces these."""

_TIME_OUT_HINT = "Is the server running, and the address right? The server's window shows what happened."


class Refused(Exception):
    """The server cannot be reached, or gives a reason instead of a volume; the text is for the person at the screen."""


@dataclass
class Knee:
    """A radiograph and what is known about the knee.

    Attributes:
        file: the radiograph: DICOM, PNG, JPEG, NIfTI or NRRD.
        side: ``"R"`` or ``"L"``; empty where the file tells.
        features: OAI name to grade.
        assume_spacing: take a picture without pixel spacing as one joint region.
        force: use also a radiograph that the checks doubt; the provenance says so.
    """

    file: str
    side: str = ""
    features: dict[str, int] = field(default_factory=dict)
    assume_spacing: bool = False
    force: bool = False


@dataclass
class Settings:
    """How the volume is made; None takes the server's default."""

    steps: int | None = None
    samples: int | None = None
    slices: int | None = None
    seed: int | None = None


@dataclass
class SyntheticKnee:
    """What came back.

    Attributes:
        volume: file of the volume, intensities from 0 to 1.
        uncertainty: file of the standard deviation between samples, or None.
        side: ``"R"``, ``"L"`` or empty.
        warning: to be shown with it.
        provenance: what determines the volume, for the record.
    """

    volume: str
    uncertainty: str | None
    side: str
    warning: str
    provenance: dict[str, Any]


class Server:
    """A MONAI Label server.

    Args:
        client: of class MONAILabelClient, which MONAI Label's extension for Slicer brings.
        folder: where received files are put.
    """

    def __init__(self, client: Any, folder: str) -> None:
        self.client, self.folder = client, Path(folder)
        self._info: dict[str, Any] = {}

    def connect(self) -> None:
        """Ask the server what it offers.

        Raises:
            Refused: it cannot be reached, or has no model that makes volumes of knees.
        """
        self._info = self._ask(self.client.info)
        if not self.models:
            raise Refused("The server has no model that makes MR volumes from radiographs (its name holds xray2mri).")

    @property
    def models(self) -> list[str]:
        """Names of the models that make volumes."""
        return [name for name in self._info.get("models", {}) if "xray2mri" in name]

    @property
    def features(self) -> list[dict[str, Any]]:
        """Features that a request may hold, as ``{"name", "description", "highest"}``; none in the monaibundle app."""
        return list(self._info.get("features", []))

    @property
    def warning(self) -> str:
        """What must be shown with every volume."""
        return str(self._info.get("disclaimer", WARNING))

    def default(self, model: str, option: str) -> int | None:
        """The server's default of an option."""
        value = self._info["models"][model].get("config", {}).get(option)
        return value if isinstance(value, int) else None

    def synthesise(self, model: str, knee: Knee, settings: Settings) -> SyntheticKnee:
        """Send a radiograph and wait for its volume: about half a minute on one core of a processor.

        Raises:
            Refused: with the server's reason.
        """
        parameters = {name: value for name, value in vars(settings).items() if value is not None}
        parameters.update(
            side=knee.side,
            features=knee.features,
            assume_spacing=knee.assume_spacing,
            force=knee.force,
            result_extension=".nrrd",
            result_dtype="float32",
        )
        volume, answer = self._ask(self.client.infer, model, "", parameters, file=knee.file)
        answer = answer or {}
        return SyntheticKnee(
            volume=str(volume),
            uncertainty=self._fetch(answer["uncertainty"]) if answer.get("uncertainty") else None,
            side=str(answer.get("side", knee.side)),
            warning=str(answer.get("disclaimer", self.warning)),
            provenance=dict(answer.get("provenance", {})),
        )

    def _fetch(self, name: str) -> str:
        """Load an image that the server keeps."""
        from MONAILabelLib import MONAILabelUtils

        path = f"/datastore/image?image={quote_plus(name)}"
        status, content, *_ = self._ask(MONAILabelUtils.http_method, "GET", self.client.get_server_url(), path)
        if status != 200:
            raise Refused(_reason(f"Response: {content!r}"))
        file = self.folder / f"{name}.nrrd"
        file.write_bytes(content)
        return str(file)

    @staticmethod
    def _ask(call: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return call(*arguments, **named)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Refused(f"No answer from the server ({error}). {_TIME_OUT_HINT}") from error
        except Exception as error:
            if not hasattr(error, "msg"):  # MONAI Label's client raises two classes with this attribute
                raise
            raise Refused(_reason(str(error.msg))) from error


def _reason(message: str) -> str:
    """The server's reason out of the text of MONAI Label's client: ``Status: 422; Response: {"detail": ...}``."""
    found = re.search(r"\{.*\}", message, re.DOTALL)
    try:
        detail = json.loads(found.group())["detail"] if found else message
    except (ValueError, KeyError):
        detail = message
    if isinstance(detail, list):  # FastAPI's own complaints about a request
        detail = "; ".join(str(one.get("msg", one)) for one in detail)
    return str(detail)
