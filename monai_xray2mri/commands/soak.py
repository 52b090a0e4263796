"""``xray2mri benchmark soak``: the hospital's worker for an hour in which everything breaks."""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import json
import math
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
    from monai_xray2mri.hospital.soak.findings import Soaked

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
    parser.add_argument("--films", type=named_path, help="folder of DICOM films to copy (default: a small one)")
    parser.add_argument("--steps", type=int, default=2, help="of the sampler; 0: the bundle's (default: %(default)s)")
    parser.add_argument("--slices", type=int, default=6, help="of a volume; 0: the bundle's (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="workers at once (default: %(default)s)")
    parser.add_argument(
        "--incident-every",
        type=int,
        default=8,
        metavar="N",
        help="one thing breaks after N studies (default: %(default)s)",
    )
    parser.add_argument("--minutes", type=int, help="send no further study after so many (default: all are sent)")
    parser.add_argument("--output", type=named_path, help="folder that keeps the logs (default: none are kept)")
    add_bundle(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run ``benchmark soak``: a table on stderr, unless ``--quiet``, and JSON on stdout; code 8 if anything went wrong.

    Raises:
        UsageError: Orthanc is not installed, or this user may not have namespaces of its own.
        InputRefused: the folder of films holds none.
    """
    for name in ("studies", "workers", "incident_every", "minutes"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise UsageError(f"option {name}", "must be at least 1", str(getattr(options, name)))
    if shutil.which("Orthanc") is None:
        raise UsageError("Orthanc", "must be installed", "no such program", "apt-get install orthanc.")
    from monai_xray2mri.hospital.soak.site import SoakOptions
    from monai_xray2mri.hospital.soak.soak import run_soak
    from monai_xray2mri.hospital.soak.studies import read_templates
    from monai_xray2mri.runtime.workers import Workers
    from monai_xray2mri.systems.registry import default_bundle

    with tempfile.TemporaryDirectory(prefix="xray2mri-soak-") as scratch:
        folder = Path(options.output or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        if options.films is None:
            # In a process of its own: this one need not load what simulates.
            list(Workers(1, apart=True)(_write_small_film, [Path(scratch) / "films"]))
        templates = read_templates(options.films or Path(scratch) / "films", _TEMPLATES)
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
                seconds=math.inf if options.minutes is None else 60.0 * options.minutes,
                told=(lambda text: None) if options.quiet else (lambda text: print(f"soak: {text}", file=sys.stderr)),
            )
        )
        if not options.quiet:
            print(table(found), file=sys.stderr)
        print(json.dumps(found.record(), indent=2))
    return ExitCode.DONE if found.verdict.is_clean else ExitCode.SOME_CASES_FAILED


def _write_small_film(folder: Path) -> None:
    """Write one knee of the example study at twice its pixel size, so that a thousand of them fit into memory."""
    from monai_xray2mri.dicom.uids import encoded
    from monai_xray2mri.runtime.files import write_whole
    from monai_xray2mri.simulation.knee.film.film import simulate_film
    from monai_xray2mri.simulation.knee.film.film_dicom import film_dataset
    from monai_xray2mri.systems.knee_xray2mri.example_study import EXAMPLE_SEED

    film = film_dataset(simulate_film(EXAMPLE_SEED))
    rows, columns = film.Rows // 2, film.Columns // 4
    pixels = film.pixel_array[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean(axis=(1, 3))
    film.Rows, film.Columns, film.PixelData = rows, columns, pixels.round().astype("<u2").tobytes()
    film.ImageLaterality, film.SeriesDescription = "R", "PA Fixed Flexion Knee"
    for keyword in ("ImagerPixelSpacing", "PixelSpacing"):
        if keyword in film:
            setattr(film, keyword, [2 * float(length) for length in film[keyword].value])
    write_whole(folder / "film.dcm", encoded(film))


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
    rows.append(("answered", verdict.ends["done"] + verdict.ends["refused"]))
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
        ("memory of the larger worker, over time", f"{' '.join(map(str, found.memory_mb))} MB"),
        ("took", f"{found.seconds} s"),
    ]
    rows += sorted(found.incidents.items())
    rows += [(f"killed at {event}, state {state}", count) for event, states in sorted(found.kills.items())
             for state, count in sorted(states.items())]  # fmt: skip
    rows.append(("killed at no", ", ".join(found.uncovered) or "kill point and state left out"))
    lines = [f"{name:<42} {value}" for name, value in rows]
    return "\n".join([*lines, *verdict.lost, *verdict.doubled, *verdict.undelivered])
