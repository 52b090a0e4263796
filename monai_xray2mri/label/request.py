"""What a client may ask for: the parameters of a MONAI Label request, as numbers, texts or empty."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.core.options import Option, read_options
from monai_xray2mri.core.stored_values import RESULT_DTYPE
from monai_xray2mri.core.system import Request, System
from monai_xray2mri.errors import UsageError
from monai_xray2mri.label.volume_file import EXTENSIONS

RESULT_OPTIONS: Final = (
    Option("result_extension", str, "kind of file that is sent", ".nrrd", choices=EXTENSIONS),
    RESULT_DTYPE,
    Option("save_image", bool, "also keep the volume in the studies folder", default=False),
)
"""What may be chosen about the file that is sent, whatever the system."""


@dataclass(frozen=True)
class LabelRequest:
    """A request that has been read.

    Attributes:
        source: what is wanted of the source; see the system's ``request``.
        sampling: values of the system's ``sampling_options``; None where nothing is chosen.
        extension: of the file that is sent.
        dtype: of its voxels.
        save_image: whether the volume is kept in the datastore, too.
    """

    source: Request
    sampling: Mapping[str, Any]
    extension: str
    dtype: str
    save_image: bool


def read_request(system: System, parameters: Mapping[str, Any]) -> LabelRequest:
    """Read the parameters of a request. What is absent or empty takes its default; other names are ignored.

    Args:
        system: whose options count.
        parameters: as MONAI Label hands them on, among others of its own. An option that names a file on the command
            line takes the file's content here: a mapping, or that as JSON.

    Raises:
        UsageError: a value stands for none of its option.
        InputRefused: the content of an option is none of its kind.
    """
    files = [option for option in system.request_options if option.kind is Path]
    values = read_options([option for option in system.request_options if option not in files], parameters)
    values |= {option.name: _content(option.name, parameters.get(option.name)) for option in files}
    result = read_options(RESULT_OPTIONS, parameters)
    return LabelRequest(
        system.request(**values),
        read_options(system.sampling_options, parameters),
        result["result_extension"],
        result["result_dtype"],
        result["save_image"],
    )


def _content(name: str, value: Any) -> str | None:
    """What the file of an option would hold, as JSON; never a path: clients have no business with the server's files.

    Raises:
        UsageError: it is no mapping.
    """
    remedy = 'Send an object, such as {"NAME": 2}.'
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except ValueError:
            raise UsageError(f"option {name}", "must be JSON", "another text", remedy) from None
    if not value:
        return None
    if not isinstance(value, Mapping):
        raise UsageError(f"option {name}", "must map names to values", type(value).__name__, remedy)
    return json.dumps(value)


def client_options(options: Iterable[Option], own: Mapping[str, Any]) -> dict[str, Any]:
    """Options as MONAI Label's clients show them: a default, or a list of choices whose first is the default.

    Args:
        options: what may be chosen; those that name files are left out.
        own: the bundle's own values. A scale is shown as 0, which stands for the bundle's own: one scale may follow
            another as long as it is not chosen.
    """
    shown: dict[str, Any] = {}
    for option in options:
        if option.kind is Path:
            continue
        value = own.get(option.name) if option.default is None else option.default
        if option.choices:
            first = value or ""
            value = [first, *(choice for choice in option.choices if choice != first)]
        elif option.default is None and option.kind is float and option.zero_is_unset:
            value = 0.0
        shown[option.name] = value
    return shown
