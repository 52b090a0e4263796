"""``monai-deploy exec``: run a MONAI Deploy app in this environment, without a container.

The App SDK removed this sub-command in 0.6, while its examples still name it. It is given again here, on top of the
SDK's own command: ``package``, ``run``, ``version``, ``nics`` and anything else go to ``holoscan_cli`` untouched.

holoscan-cli owns the script file ``monai-deploy``. This package writes no file of that name (whichever package came
last would win, and removing either would break the other); :mod:`monai_xray2mri.deploy.hook` leads that very script
here when its command is ``exec``. So the order of installation does not matter, reinstalling holoscan-cli changes
nothing, and once this package is removed the SDK's command is what it was. ``python -m monai_xray2mri.deploy exec``
needs neither script nor hook.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Callable, Sequence
from importlib import import_module, metadata
from pathlib import Path

from monai_xray2mri.errors import UsageError

PROGRAM = "monai-deploy"
PASSED_ON = {"-i": "input", "-o": "output", "-m": "model", "-w": "workdir", "-l": "log_level"}
LOG_LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "CRITICAL")


def main(sdk_main: Callable[[], int | None] | None = None) -> int:
    """Run ``monai-deploy`` with the arguments of the process.

    Args:
        sdk_main: the SDK's own command, for everything but ``exec``; None = ``holoscan_cli``'s.

    Returns:
        The exit code. An app that ends with ``SystemExit`` ends the process with its own code.
    """
    if sys.argv[1:2] == ["exec"]:
        return execute(sys.argv[2:])
    try:
        sdk_main = sdk_main or import_module("holoscan_cli.__main__").main
    except ModuleNotFoundError:
        sys.stderr.write(f"{PROGRAM}: {_sdk_missing()}\n")
        return UsageError.exit_code
    sys.argv[0] = str(Path(sys.argv[0]).with_name(PROGRAM))  # by this name it knows which SDK it is called for
    return sdk_main() or 0


def execute(arguments: Sequence[str]) -> int:
    """Run ``monai-deploy exec`` with what follows on the command line.

    The app runs in this process, as ``python APP`` would run it, so that its exit code is the command's; what follows
    ``--`` is handed to it as it is.

    Raises:
        SystemExit: the app ended with a code, or the call is wrong (code 2, message on stderr).
    """
    own, app_options = _split(arguments)
    parser = _parser()
    options = parser.parse_args(own)
    try:
        require_sdk()
        entry = entry_point(options.app)
    except UsageError as error:
        parser.exit(error.exit_code, f"{parser.prog}: error: {error}\n")
    raise_stack_limit()
    passed = []
    for flag, name in PASSED_ON.items():
        if (value := getattr(options, name)) is not None:
            passed += [flag, value]
    sys.argv = [str(entry), *passed, *app_options]
    sys.path[0] = str(entry if entry.is_dir() else entry.parent)
    runpy.run_path(str(entry), run_name="__main__")
    return 0


def entry_point(app: Path) -> Path:
    """What Python runs to start an app.

    Args:
        app: a folder with ``__main__.py`` or ``app.py``, or a ``.py`` file.

    Returns:
        The folder, if it has ``__main__.py``; else the file.

    Raises:
        UsageError: it is neither.
    """
    if (app / "__main__.py").is_file():
        return app
    for file in (app / "app.py", app):
        if file.is_file() and file.suffix == ".py":
            return file
    found = "a folder without either" if app.is_dir() else "another file" if app.exists() else "nothing at that path"
    rule = "must be a folder with __main__.py or app.py, or a .py file"
    raise UsageError(f"app {app}", rule, found, "Check the path.")


def require_sdk() -> None:
    """Check that the MONAI Deploy App SDK is installed, without importing it (seconds).

    Raises:
        UsageError: it is not; the message names the extra to install.
    """
    try:
        metadata.version("monai-deploy-app-sdk")
    except metadata.PackageNotFoundError:
        raise _sdk_missing() from None


def raise_stack_limit(wanted: int = 32 * 2**20) -> None:
    """Give this process the stack that Holoscan recommends (32 MB), as far as the system allows; it warns below it.

    Args:
        wanted: bytes.
    """
    try:
        import resource  # not on Windows
    except ModuleNotFoundError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_STACK, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments before and after the first ``--``."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    return list(arguments[:end]), list(arguments[end + 1 :])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} exec",
        description="Run a MONAI Deploy app in this environment, without a container.",
        epilog="Options of the app itself follow after --, for example: -- --side R. Options win over the "
        "environment variables HOLOSCAN_INPUT_PATH, HOLOSCAN_OUTPUT_PATH and HOLOSCAN_MODEL_PATH.",
        allow_abbrev=False,
    )
    parser.add_argument("app", type=Path, metavar="APP", help="folder with __main__.py or app.py, or a .py file")
    parser.add_argument("-i", "--input", metavar="PATH", help="input folder")
    parser.add_argument("-o", "--output", metavar="PATH", help="output folder")
    parser.add_argument("-m", "--model", metavar="PATH", help="model file or folder, such as a MONAI Bundle")
    parser.add_argument("-w", "--workdir", metavar="PATH", help="folder for temporary files")
    parser.add_argument("-l", "--log-level", type=str.upper, choices=LOG_LEVELS, help="how much the app logs")
    return parser


def _sdk_missing() -> UsageError:
    return UsageError(
        f"command {PROGRAM}",
        "needs the MONAI Deploy App SDK",
        "not installed",
        "Install it with: pip install 'monai-xray2mri[deploy]'",
    )
