"""What a user may choose, said once: command line, app, MONAI Label and Python take options, ranges and help from here.

A system lists its options (:class:`~monai_xray2mri.core.system.System`); every way of running it reads that list.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.errors import UsageError

TRUTH: Final = {"0": False, "false": False, "no": False, "off": False, "1": True, "true": True, "yes": True, "on": True}
"""Texts that mean yes or no, in small letters."""

_REMEDY = "Choose another value."
_SHOWN = 40  # characters of a wrong value that a message quotes


@dataclass(frozen=True)
class Option:
    """One thing that a user may choose.

    Attributes:
        name: keyword in Python.
        kind: type of the value: int, float, str, bool or Path.
        help: one line for people.
        default: value where nothing is chosen. None: what the bundle holds, or nothing.
        low: smallest number allowed.
        high: largest number allowed.
        choices: texts allowed; any case is read as one of them.
        spellings: other texts for a choice, in small letters: ``{"right": "R"}``.
        flag: on the command line, where it is not the name with hyphens. A flag ``--no-...`` turns a truth off.
        metavar: how the help calls the value.
        zero_is_unset: 0 stands for "not chosen", as the fields of a viewer show it.
        several: the value is a tuple: ``--slice 3 7`` on a command line, the text ``3 7`` or ``3,7`` elsewhere.

    Example:
        >>> steps = Option("steps", int, "sampling steps", low=1, high=1000)
        >>> steps.read("20"), steps.read(""), steps.command_line_flag, steps.variable
        (20, None, '--steps', 'XRAY2MRI_STEPS')
    """

    name: str
    kind: type
    help: str
    default: Any = None
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    spellings: Mapping[str, str] = field(default_factory=dict)
    flag: str | None = None
    metavar: str | None = None
    zero_is_unset: bool = False
    several: bool = False

    @property
    def command_line_flag(self) -> str:
        """``--noise-length``."""
        return self.flag or "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Environment variable: ``XRAY2MRI_NOISE_LENGTH``."""
        return "XRAY2MRI_" + self.command_line_flag.removeprefix("--").replace("-", "_").upper()

    def read(self, value: object) -> Any:
        """The value that a text, number or truth value stands for; the default for None and for an empty text.

        Of a list of choices, as MONAI Label shows them, the first counts.

        Raises:
            UsageError: it stands for no value of this option, or for one out of range.
        """
        if self.several:
            return self._read_several(value)
        if isinstance(value, (list, tuple)):
            value = value[0] if value else None
        text = "" if value is None else str(value).strip()
        if not text:
            return self.default
        chosen = self._converted(text)
        if self.zero_is_unset and chosen == 0:
            return self.default
        self.check(chosen)
        return chosen

    def check(self, value: Any) -> None:
        """Refuse a value out of range; None is no choice and always allowed.

        Raises:
            UsageError: it is out of range or none of the choices.
        """
        if value is None:
            return
        if isinstance(value, tuple):
            for one in value:
                self.check(one)
            return
        if self.choices and value not in self.choices:
            raise self._refusal(f"must be one of: {', '.join(self.choices)}", value)
        low, high = self.low, self.high
        if (low is not None and not value >= low) or (high is not None and not value <= high):
            raise self._refusal(f"must be {_range(low, high)}", value)

    def _read_several(self, value: object) -> Any:
        parts = value if isinstance(value, (list, tuple)) else str("" if value is None else value).split(",")
        texts = [text for part in parts for text in str(part).split()]
        return tuple(replace(self, several=False).read(text) for text in texts) or self.default

    def _converted(self, text: str) -> Any:
        try:
            if self.kind is bool:
                return TRUTH[text.lower()]
            if self.choices:
                return self._choice(text)
            return _whole(text) if self.kind is int else self.kind(text)
        except (ValueError, KeyError, OverflowError):
            words = {bool: "true or false", int: "a whole number", float: "a number"}
            raise self._refusal(f"must be {words.get(self.kind, self.kind.__name__)}", text) from None

    def _choice(self, text: str) -> str:
        small = text.lower()
        return next((known for known in self.choices if known.lower() == small), self.spellings.get(small, text))

    def _refusal(self, rule: str, value: object) -> UsageError:
        return UsageError(f"option {self.name}", rule, str(value)[:_SHOWN], _REMEDY)


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"at least {low}" if high is None else f"at most {high}"
    return f"within {low}..{high}"


def _whole(text: str) -> int:
    """A whole number, also one written as ``20.0``; not by way of a float, which would round a long seed."""
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise
        return int(number)


def add_options(
    parser: argparse.ArgumentParser, options: Iterable[Option], environment: Mapping[str, str] | None = None
) -> None:
    """Give a parser the flags of options.

    Args:
        parser: of a command line.
        options: what may be chosen.
        environment: variables that replace defaults, named behind the help; None: the command line alone counts.

    Raises:
        UsageError: a variable holds a value that is not allowed.
    """
    for option in options:
        text, default = option.help, option.default
        if environment is not None:
            text = f"{text} [{option.variable}]"
            default = _of_environment(option, environment)
        if option.kind is bool:
            action = "store_false" if option.default else "store_true"
            parser.add_argument(option.command_line_flag, dest=option.name, action=action, default=default, help=text)
            continue
        parser.add_argument(
            option.command_line_flag,
            dest=option.name,
            type=_argument(option),
            nargs="+" if option.several else None,
            default=default,
            metavar=option.metavar or ("{" + ",".join(option.choices) + "}" if option.choices else None),
            help=text,
        )


def _of_environment(option: Option, environment: Mapping[str, str]) -> Any:
    """The default that a variable gives: a text, which argparse reads as it reads an argument, or a truth."""
    value = environment.get(option.variable) or None
    if option.kind is not bool:
        return option.default if value is None else option.read(value) if option.several else value
    if option.default:  # the variable of --no-... turns it off
        return not replace(option, default=False).read(value)
    return option.read(value)


def _argument(option: Option) -> Callable[[str], Any]:
    """The option's reading and errors as ``type`` of an argument; the range is checked with the bundle's own values."""

    def convert(text: str) -> Any:
        if not text.strip():
            kind = "file or folder" if option.kind is Path else "value"
            raise argparse.ArgumentTypeError(f"must name a {kind} (found: an empty text; is a variable not set?)")
        try:
            return replace(option, low=None, high=None, zero_is_unset=False, several=False).read(text)
        except UsageError as error:
            raise argparse.ArgumentTypeError(f"{error.rule}, not {text!r}") from None

    return convert


def chosen_options(options: Sequence[Option], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of options, checked; what is not there takes its default.

    Args:
        options: what may be chosen.
        values: name to value; names of other options are left alone.

    Raises:
        UsageError: a value is out of range.
    """
    chosen = {option.name: values.get(option.name, option.default) for option in options}
    for option in options:
        option.check(chosen[option.name])
    return chosen


def read_options(options: Iterable[Option], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of options that texts, numbers or nothing stand for, see :meth:`Option.read`.

    Args:
        options: what may be chosen.
        values: name to value; names of other options are left alone.

    Raises:
        UsageError: a value stands for none of its option.

    Example:
        >>> read_options([Option("seed", int, "of the noise", 0), Option("eta", float, "noise")], {"seed": "7"})
        {'seed': 7, 'eta': None}
    """
    return {option.name: option.read(values.get(option.name)) for option in options}


def require_known(values: Iterable[str], *options: Sequence[Option]) -> None:
    """Refuse names that are no option.

    Raises:
        UsageError: a name is unknown; the message lists those that are known.
    """
    known = [option.name for group in options for option in group]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise UsageError("options", f"must be among: {', '.join(known)}", ", ".join(unknown), "Check the spelling.")
