"""One list of options for every way of running a system."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from monai_xray2mri.core.options import Option, add_options, chosen_options, require_known
from monai_xray2mri.errors import UsageError

STEPS = Option("steps", int, "sampling steps", low=1, high=1000, zero_is_unset=True)
SCALE = Option("scale_mm", float, "length", low=0.5, high=2, flag="--scale", metavar="MM")
SIDE = Option("side", str, "which", choices=("R", "L"), spellings={"left": "L"})
FORCE = Option("force", bool, "use it all the same", default=False)
ESTIMATE = Option("estimate", bool, "leave it unknown", default=True, flag="--no-estimate")
FILE = Option("table", Path, "a table")
PARTS = Option("part", int, "numbers of parts", low=1, several=True)
ALL = (STEPS, SCALE, SIDE, FORCE, ESTIMATE, FILE)


@pytest.mark.parametrize(
    ("option", "given", "value"),
    [
        (STEPS, "20", 20), (STEPS, "20.0", 20), (STEPS, 7, 7), (STEPS, 0, None), (STEPS, "", None), (STEPS, [], None),
        (STEPS, ["3", "4"], 3), (SCALE, "1e0", 1.0), (SIDE, "r", "R"), (SIDE, "LEFT", "L"), (SIDE, None, None),
        (FORCE, "Yes", True), (FORCE, "", False), (FORCE, 0, False), (ESTIMATE, "", True), (FILE, "a b", Path("a b")),
        (PARTS, "3 7,9", (3, 7, 9)), (PARTS, [3, "7"], (3, 7)), (PARTS, 4, (4,)), (PARTS, "", None), (PARTS, [], None),
    ],
)  # fmt: skip
def test_texts_numbers_and_empty_values_are_read(option, given, value):
    assert option.read(given) == value


def test_several_values_stand_behind_one_flag():
    parser = argparse.ArgumentParser()
    add_options(parser, [PARTS], {"XRAY2MRI_PART": "1, 2"})
    assert parser.parse_args([]).part == (1, 2)
    assert PARTS.read(parser.parse_args(["--part", "3", "7"]).part) == (3, 7)
    for wrong in ("x", "0", (3, 0)):
        with pytest.raises(UsageError):
            PARTS.read(wrong)


def test_a_long_seed_is_read_exactly():
    assert Option("seed", int, "").read(str(2**63 - 1)) == 2**63 - 1


@pytest.mark.parametrize(
    ("option", "given", "words"),
    [
        (STEPS, "ten", "must be a whole number"), (STEPS, "2.5", "must be a whole number"),
        (STEPS, "1001", "must be within 1..1000"), (SCALE, "0.4", "must be within 0.5..2"),
        (SCALE, "nan", "must be within"), (SIDE, "both", "must be one of: R, L"), (FORCE, "maybe", "must be true or"),
    ],
)  # fmt: skip
def test_what_is_no_value_is_refused_with_rule_and_value(option, given, words):
    with pytest.raises(UsageError, match=words) as refusal:
        option.read(given)
    assert option.name in str(refusal.value) and str(given) in str(refusal.value)


def parse(arguments, environment=None):
    parser = argparse.ArgumentParser()
    add_options(parser, ALL, environment)
    return vars(parser.parse_args(arguments))


def test_flags_of_a_command_line():
    assert parse([]) == {"steps": None, "scale_mm": None, "side": None, "force": False, "estimate": True, "table": None}
    found = parse(["--steps", "5", "--scale", "0.1", "--side", "left", "--force", "--no-estimate", "--table", "t"])
    assert found == {"steps": 5, "scale_mm": 0.1, "side": "L", "force": True, "estimate": False, "table": Path("t")}


def test_variables_are_defaults_and_flags_win():
    environment = {"XRAY2MRI_STEPS": "4", "XRAY2MRI_SCALE": "", "XRAY2MRI_NO_ESTIMATE": "1", "XRAY2MRI_FORCE": "on"}
    found = parse(["--steps", "6"], environment)
    assert (found["steps"], found["scale_mm"], found["estimate"], found["force"]) == (6, None, False, True)
    assert parse([], environment)["steps"] == 4


@pytest.mark.parametrize("arguments", [["--side", "both"], ["--steps", "ten"], ["--table", ""], ["--table", " "]])
def test_a_wrong_flag_is_a_usage_error(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        parse(arguments)
    assert end.value.code == 2 and arguments[0] in capsys.readouterr().err


def test_a_wrong_variable_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as end:
        parse([], {"XRAY2MRI_SIDE": "both"})
    assert end.value.code == 2 and "both" in capsys.readouterr().err


def test_the_help_of_every_option_names_its_variable_where_one_is_read():
    parser = argparse.ArgumentParser()
    add_options(parser, ALL, {})
    text = parser.format_help()
    assert all(f"[{option.variable}]" in text.replace("\n", " ") for option in ALL)


def test_values_of_python_are_checked_and_completed():
    assert chosen_options((STEPS, FORCE), {"steps": 3, "other": 1}) == {"steps": 3, "force": False}
    with pytest.raises(UsageError, match=r"option steps: must be within 1\.\.1000 \(found: 0\)"):
        chosen_options((STEPS,), {"steps": 0})
    with pytest.raises(UsageError, match=r"must be among: steps, force \(found: stepps"):
        require_known({"stepps": 1}, (STEPS,), (FORCE,))
