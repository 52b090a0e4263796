"""What a hospital chooses: one TOML file, environment variables over it, everything checked before the first study.

A key ``studies.quiet_s`` stands in the table ``[studies]`` of the file; its variable is ``XRAY2MRI_STUDIES_QUIET_S``.
Secrets come from files (``orthanc.password_file``, ``page.token_file``) or from variables
(``XRAY2MRI_ORTHANC_PASSWORD``, ``XRAY2MRI_PAGE_TOKEN``), never from the settings file itself.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.core.options import Option
from monai_xray2mri.core.system import OUTPUT_OPTIONS, Outputs, System
from monai_xray2mri.errors import UsageError
from monai_xray2mri.hospital.setting_values import (
    read_moment,
    read_secret,
    require_address,
    require_certificates,
)

_MOST_DESTINATIONS: Final = 6
_MOST_COMMITMENTS: Final = 3
_LONGEST_NAME: Final = 24
"""Characters of a destination's name. The state of a study names all destinations and transactions within 1 KB."""


@dataclass(frozen=True)
class OrthancSettings:
    """Where Orthanc is. ``metadata`` is the number of the worker's entry; each bundle on one Orthanc has its own."""

    url: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    metadata: int = 4001
    timeout_s: float = 120.0
    viewer: str = ""


@dataclass(frozen=True)
class StudySettings:
    """Which studies are worked on, and when one counts as whole."""

    since: datetime = datetime(1, 1, 1, tzinfo=UTC)
    called_aets: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    copies: bool = False
    quiet_s: float = 60.0
    sweep_s: float = 3600.0
    poll_s: float = 5.0


@dataclass(frozen=True)
class LimitSettings:
    """What one study may cost. ``per_hour`` 0: as many studies as the machine manages."""

    study_s: float = 1800.0
    instances: int = 1000
    megabytes: int = 2000
    per_hour: int = 0


@dataclass(frozen=True)
class RetrySettings:
    """How often a failure is tried again, and after what time: doubled each time from the first to the longest."""

    attempts: int = 5
    send_attempts: int = 100
    first_s: float = 60.0
    longest_s: float = 3600.0
    lease_s: float = 60.0
    commitment_s: float = 600.0

    def pause(self, failures: int) -> float:
        """Seconds until the next attempt after this many failures in a row (at least 1)."""
        return float(min(self.first_s * 2 ** min(failures - 1, 30), self.longest_s))


@dataclass(frozen=True)
class AnswerSettings:
    """What is answered where not everything can be made, and what becomes of a result that a new one replaces."""

    partial: bool = True
    refusals: str = "none"
    replaced: str = "keep"
    orphans: str = "delete"


@dataclass(frozen=True)
class PageSettings:
    """The status page. ``port`` 0: no page."""

    host: str = "127.0.0.1"
    port: int = 8080
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class LogSettings:
    """Where the audit trail goes; empty: into the log."""

    audit_file: str = ""


@dataclass(frozen=True)
class Destination:
    """A system that gets the results.

    Attributes:
        name: of the modality (DIMSE) or DICOMweb server (STOW) in Orthanc's configuration.
        kind: ``"dimse"`` or ``"stow"``.
        commitment: whether the result counts only once the destination has committed to keep it; DIMSE only.
        timeout_s: of one instance, in seconds.
    """

    name: str
    kind: str = "dimse"
    commitment: bool = False
    timeout_s: float = 60.0


@dataclass(frozen=True)
class ModelSettings:
    """The bundle and how it is run: the same options as those of ``xray2mri synthesize``."""

    bundle: Path | None = None
    device: str = "auto"
    request: Mapping[str, Any] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    outputs: Outputs = field(default_factory=Outputs)


@dataclass(frozen=True)
class Settings:
    """Everything that a hospital chooses."""

    orthanc: OrthancSettings
    studies: StudySettings
    model: ModelSettings = ModelSettings()
    limits: LimitSettings = LimitSettings()
    retries: RetrySettings = RetrySettings()
    answers: AnswerSettings = AnswerSettings()
    page: PageSettings = PageSettings()
    log: LogSettings = LogSettings()
    destinations: tuple[Destination, ...] = ()


KEYS: Final = (
    Option("orthanc.url", str, "address of Orthanc's REST interface, e.g. http://orthanc:8042"),
    Option("orthanc.username", str, "user of Orthanc", ""),
    Option("orthanc.password_file", Path, "file that holds the user's password"),
    Option("orthanc.ca_file", Path, "certificates (PEM) that an https address is checked with; none: the public ones"),
    Option("orthanc.metadata", int, "number of the worker's metadata and attachment", 4001, low=1024, high=65535),
    Option("orthanc.timeout_s", float, "seconds that Orthanc may take for one answer", 120.0, low=1, high=3600),
    Option(
        "orthanc.viewer", str, "link to a viewer; {study} stands for the Study Instance UID, {id} for Orthanc's", ""
    ),
    Option("studies.since", str, "date (YYYY-MM-DD); films that Orthanc received earlier are left alone"),
    Option("studies.called_aets", str, "called AE titles of films that are wanted; none: all", (), several=True),
    Option("studies.body_parts", str, "Body Part Examined of films that are wanted; none: all", (), several=True),
    Option("studies.copies", bool, "also studies that Orthanc anonymized or modified", default=False),
    Option(
        "studies.quiet_s", float, "seconds without a new object after which a study is whole", 60.0, low=0, high=86400
    ),
    Option("studies.sweep_s", float, "seconds between two looks at all studies", 3600.0, low=1, high=86400),
    Option("studies.poll_s", float, "seconds between two looks at Orthanc's changes", 5.0, low=0.05, high=600),
    Option("model.bundle", Path, "MONAI Bundle (default: the one of the package)"),
    Option("model.device", str, "auto, cuda, mps or cpu", "auto"),
    Option("limits.study_s", float, "seconds that one study may take", 1800.0, low=1, high=86400),
    Option("limits.instances", int, "objects of a study that are read", 1000, low=1, high=100000),
    Option("limits.megabytes", int, "megabytes of a study that are read", 2000, low=1, high=1000000),
    Option("limits.per_hour", int, "studies that are begun within an hour; 0: no limit", 0, low=0, high=100000),
    Option("retries.attempts", int, "attempts at making a result", 5, low=1, high=100),
    Option("retries.send_attempts", int, "attempts at sending a result", 100, low=1, high=10000),
    Option("retries.first_s", float, "seconds until the second attempt; doubled after each", 60.0, low=0, high=86400),
    Option("retries.longest_s", float, "longest time between two attempts in seconds", 3600.0, low=0, high=604800),
    Option(
        "retries.lease_s", float, "seconds after which the study of a dead worker is taken over", 60.0, low=1, high=3600
    ),
    Option(
        "retries.commitment_s", float, "seconds until storage commitment is asked for again", 600.0, low=1, high=86400
    ),
    Option(
        "answers.partial", bool, "store what could be made where another part of the study was refused", default=True
    ),
    Option("answers.refusals", str, "what answers a refusal", "none", choices=("none", "report")),
    Option("answers.replaced", str, "what becomes of a replaced result", "keep", choices=("keep", "reject", "delete")),
    Option("answers.orphans", str, "results whose study was deleted meanwhile", "delete", choices=("keep", "delete")),
    Option("page.host", str, "address that the status page listens on", "127.0.0.1"),
    Option("page.port", int, "port of the status page; 0: no page", 8080, low=0, high=65535),
    Option("page.token_file", Path, "file with the token that the retry button asks for; none: no button"),
    Option("log.audit_file", str, "file that the audit trail is appended to; none: it is part of the log", ""),
)
"""Every key but those of the lists ``[[destinations]]`` and of the tables ``[model.request]``, ``[model.sampling]`` and
``[model.outputs]``, whose keys are the options of the bundle's system."""

_SECRETS: Final = {"orthanc.password_file": "orthanc.password", "page.token_file": "page.token"}
_SECTIONS: Final[Mapping[str, Any]] = {
    "orthanc": OrthancSettings, "studies": StudySettings, "model": ModelSettings, "limits": LimitSettings,
    "retries": RetrySettings, "answers": AnswerSettings, "page": PageSettings, "log": LogSettings,
}  # fmt: skip
_TABLES: Final = ("model.request", "model.sampling", "model.outputs")


def variable(key: str) -> str:
    """The environment variable of a key: ``XRAY2MRI_STUDIES_QUIET_S``."""
    return "XRAY2MRI_" + key.replace(".", "_").upper()


def read_settings(
    file: Path | None, environment: Mapping[str, str], given: Mapping[str, str] | None = None
) -> Settings:
    """The settings of a file, of variables over it, and of a command line over both.

    Options of the system are not checked here, see :func:`model_options`.

    Args:
        file: TOML; None: variables and command line alone.
        environment: variables.
        given: key to text, of a command line.

    Raises:
        UsageError: the file cannot be read, or a key is unknown, missing or out of range; the message names it.
    """
    content = _flat(_parsed(file)) if file is not None else {}
    destinations = content.pop("destinations", [])
    tables = {name: content.pop(name, {}) for name in _TABLES}
    _require_known(content, [option.name for option in KEYS])
    values = {option.name: option.read(_chosen(option.name, content, environment, given or {})) for option in KEYS}
    for key, secret in _SECRETS.items():
        values[secret] = read_secret(key, values.pop(key), environment.get(variable(secret), ""))
    values["studies.since"] = read_moment(values["studies.since"])
    require_address(values["orthanc.url"])
    require_certificates(values["orthanc.ca_file"], values["orthanc.url"])
    values["model.request"], values["model.sampling"] = tables["model.request"], tables["model.sampling"]
    values["model.outputs"] = Outputs(
        **_read_table("model.outputs", tables["model.outputs"], OUTPUT_OPTIONS, environment)
    )
    sections = {
        name: kind(**{entry.name: values[f"{name}.{entry.name}"] for entry in fields(kind)})
        for name, kind in _SECTIONS.items()
    }
    return Settings(**sections, destinations=_destinations(destinations, environment))


def model_options(settings: Settings, system: System, environment: Mapping[str, str]) -> ModelSettings:
    """The settings of the model with the options of its system read and checked by kind.

    Raises:
        UsageError: an option is unknown or of another kind; the message names its key.
    """
    model = settings.model
    request = _read_table("model.request", model.request, system.request_options, environment)
    sampling = _read_table("model.sampling", model.sampling, system.sampling_options, environment)
    return replace(model, request=request, sampling=sampling)


def _parsed(file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except OSError as error:
        raise UsageError(
            "settings file", "must be readable", error.strerror or "an error", "Check --settings."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("settings file", "must be TOML", str(error)[:120], "See docs/hospital.md.") from error


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """``{"studies": {"quiet_s": 5}}`` as ``{"studies.quiet_s": 5}``; tables of the system's options stay whole."""
    flat: dict[str, Any] = {}
    for section, entries in content.items():
        if section == "destinations":
            flat[section] = entries
        elif isinstance(entries, Mapping):
            flat.update({f"{section}.{name}": value for name, value in entries.items()})
        else:
            flat[section] = entries
    return flat


def _require_known(names: Iterable[str], known: Sequence[str], where: str = "") -> None:
    for name in names:
        if name not in known:
            near = [key for key in known if key.rpartition(".")[2] == name.rpartition(".")[2]]
            remedy = f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(known)}."
            raise UsageError(f"setting {where}{name}", "must be a known key", "an unknown one", remedy)


def _chosen(key: str, content: Mapping[str, Any], environment: Mapping[str, str], given: Mapping[str, str]) -> Any:
    for value in (given.get(key), environment.get(variable(key)), content.get(key)):
        if value is not None and value != "":
            return value
    return None


def _read_table(name: str, values: object, options: Sequence[Option], environment: Mapping[str, str]) -> dict[str, Any]:
    """The values of a table of options; an option's variable is the one that the app reads, too."""
    if not isinstance(values, Mapping):
        raise UsageError(f"setting {name}", "must be a table", type(values).__name__, f"Write [{name}] above its keys.")
    _require_known(values, [option.name for option in options], f"{name}.")
    found = {}
    for option in options:
        text = environment.get(option.variable) or values.get(option.name)
        try:
            found[option.name] = option.read(text)
        except UsageError as error:
            raise UsageError(f"setting {name}.{option.name}", error.rule, error.found, error.remedy) from error
    return found


_DESTINATION: Final = (
    Option("name", str, "name in Orthanc's DicomModalities, or in DicomWeb.Servers"),
    Option("kind", str, "protocol", "dimse", choices=("dimse", "stow")),
    Option("commitment", bool, "ask for storage commitment", default=False),
    Option("timeout_s", float, "seconds for one instance", 60.0, low=1, high=3600),
)


def _destinations(entries: object, environment: Mapping[str, str]) -> tuple[Destination, ...]:
    """Of the file, or of ``XRAY2MRI_DESTINATIONS``: names of modalities with commas between them."""
    named = [name.strip() for name in environment.get("XRAY2MRI_DESTINATIONS", "").split(",") if name.strip()]
    rows = [{"name": name} for name in named] or entries
    if not isinstance(rows, list):
        raise UsageError(
            "setting destinations", "must be a list of tables", type(rows).__name__, "Write [[destinations]]."
        )
    found = tuple(_destination(number, row) for number, row in enumerate(rows, start=1))
    if len({one.name for one in found}) < len(found) or len(found) > _MOST_DESTINATIONS:
        rule = f"must be at most {_MOST_DESTINATIONS} with different names"
        raise UsageError("setting destinations", rule, ", ".join(one.name for one in found))
    asked = [one.name for one in found if one.commitment]
    if len(asked) > _MOST_COMMITMENTS:
        rule = f"must ask at most {_MOST_COMMITMENTS} for storage commitment"
        remedy = "Ask those that keep results for good."
        raise UsageError("setting destinations", rule, ", ".join(asked), remedy)
    return found


def _destination(number: int, row: object) -> Destination:
    where = f"destinations[{number}]"
    if not isinstance(row, Mapping):
        raise UsageError(f"setting {where}", "must be a table", type(row).__name__, "Write [[destinations]].")
    values = _read_table(where, row, _DESTINATION, {})
    if not re.fullmatch(rf"[\w.-]{{1,{_LONGEST_NAME}}}", values["name"] or "", re.ASCII):
        rule = f"must be 1 to {_LONGEST_NAME} letters, digits, hyphens, dots or underscores"
        raise UsageError(
            f"setting {where}.name", rule, str(values["name"])[:40], "Rename it in Orthanc's configuration."
        )
    if values["commitment"] and values["kind"] == "stow":
        raise UsageError(
            f"setting {where}.commitment", "needs the kind dimse", "stow", "STOW has no storage commitment."
        )
    return Destination(**values)
