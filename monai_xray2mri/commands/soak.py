"""``xray2mri benchmark soak``: the hospital's worker for an hour in which everything breaks."""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import json
import os
import shutil
import socket
import struct
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from monai_xray2mri.commands.options import add_bundle, named_path
from monai_xray2mri.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from monai_xray2mri.hospital.soak.soak import Soaked

_NEW_NETWORK: Final = 0x40000000
_NEW_MOUNTS: Final = 0x00020000
_TEMPLATES: Final = 8


def add_command(kinds: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add ``soak`` to the sub-command ``benchmark``.

    Args:
        kinds: the sub-parsers of ``benchmark``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = kinds.add_parser(
        "soak",
        parents=[common],
        help="the hospital's worker beside a real Orthanc, with faults",
        description="Sends studies to a real Orthanc with workers and a destination, breaks everything, and judges: "
        "nothing may be lost, doubled, or at another patient. Needs Orthanc and root: it runs in network and mount "
        "namespaces of its own.",
    )
    parser.add_argument("--studies", type=int, default=1000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of studies and faults (default: %(default)s)")
    parser.add_argument("--films", type=named_path, help="folder of DICOM films to copy (default: a simulated one)")
    parser.add_argument("--steps", type=int, default=2, help="of the sampler; 0: the bundle's (default: %(default)s)")
    parser.add_argument("--slices", type=int, default=6, help="of a volume; 0: the bundle's (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="workers at once (default: %(default)s)")
    parser.add_argument(
        "--incident-every",
        type=int,
        default=3,
        metavar="N",
        help="one thing breaks after N studies (default: %(default)s)",
    )
    parser.add_argument("--output", type=named_path, help="folder that keeps the logs (default: none are kept)")
    add_bundle(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run ``benchmark soak``: a table on stderr, unless ``--quiet``, and JSON on stdout; code 8 if anything went wrong.

    Raises:
        UsageError: Orthanc is not installed, or this user may not have namespaces of its own.
        InputRefused: the folder of films holds none.
    """
    for name in ("studies", "workers", "incident_every"):
        if getattr(options, name) < 1:
            raise UsageError(f"option {name}", "must be at least 1", str(getattr(options, name)))
    if shutil.which("Orthanc") is None:
        raise UsageError("Orthanc", "must be installed", "no such program", "apt-get install orthanc.")
    from monai_xray2mri.hospital.soak.soak import SoakOptions, run_soak
    from monai_xray2mri.hospital.soak.studies import read_templates
    from monai_xray2mri.systems.registry import default_bundle

    with tempfile.TemporaryDirectory(prefix="xray2mri-soak-") as scratch:
        folder = Path(options.output or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        templates = read_templates(options.films or _simulated(Path(scratch) / "films"), _TEMPLATES)
        _isolate()
        sampling = "\n".join(
            f"{name} = {getattr(options, name)}" for name in ("steps", "slices") if getattr(options, name)
        )
        found = run_soak(
            SoakOptions(
                options.studies,
                options.seed,
                (options.bundle or default_bundle()).resolve(),
                templates,
                folder,
                sampling,
                options.workers,
                options.incident_every,
                told=(lambda text: None) if options.quiet else (lambda text: print(f"soak: {text}", file=sys.stderr)),
            )
        )
        if not options.quiet:
            print(table(found), file=sys.stderr)
        print(json.dumps(found.record(), indent=2))
    return ExitCode.DONE if found.verdict.is_clean else ExitCode.SOME_CASES_FAILED


def _simulated(folder: Path) -> Path:
    from monai_xray2mri.systems.knee_xray2mri.example_study import write_example_study

    write_example_study(folder)
    return folder


def _isolate() -> None:
    """Leave this machine's network and mounts: Orthanc listens to every address, and a full disk must be its own."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_NEW_NETWORK | _NEW_MOUNTS):
        raise UsageError(
            "benchmark soak", "needs namespaces of its own", os.strerror(ctypes.get_errno()), "Run it as root."
        )
    library.mount(b"none", b"/", None, 0x44000, None)  # MS_REC | MS_PRIVATE: what is mounted stays here
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS with IFF_UP


def table(found: Soaked) -> str:
    """What a soak found, for people."""
    verdict = found.verdict
    rows: list[tuple[str, object]] = [("received", verdict.received)]
    rows += [(f"ended: {end}", count) for end, count in sorted(verdict.ends.items())]
    rows += [
        ("lost", len(verdict.lost)),
        ("doubled", len(verdict.doubled)),
        ("wrong patient", len(verdict.wrong_patient)),
        ("not at the destination", len(verdict.undelivered)),
        ("logs that name a patient", len(verdict.named)),
    ]
    rows += [(f"latency, percentile {percent}", f"{seconds} s") for percent, seconds in verdict.latency_s.items()]
    rows += [
        ("memory, first and last quarter", "{} and {} MB".format(*found.memory_mb)),
        ("took", f"{found.seconds} s"),
    ]
    rows += sorted(found.incidents.items())
    rows += [(f"killed at {event}, state {state}", count) for event, states in sorted(found.kills.items())
             for state, count in sorted(states.items())]  # fmt: skip
    lines = [f"{name:<42} {value}" for name, value in rows]
    return "\n".join([*lines, *verdict.lost, *verdict.doubled, *verdict.undelivered])
