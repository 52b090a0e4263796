"""``xray2mri serve``: the worker beside Orthanc (docs/hospital.md)."""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

from monai_xray2mri.commands.options import named_path
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.runtime.memory_pages import use_huge_pages

if TYPE_CHECKING:
    from monai_xray2mri.hospital.archive import Archive
    from monai_xray2mri.hospital.board import Board
    from monai_xray2mri.hospital.events import Events
    from monai_xray2mri.hospital.page import StatusPage
    from monai_xray2mri.hospital.settings import Settings
    from monai_xray2mri.hospital.worker import Worker

_PATIENCE_S: Final = 5.0
_SLACK_S: Final = 600.0
"""Seconds that sending may take beyond the limits before the loop counts as stuck."""
_GRACE_S: Final = 7.0
"""Seconds after SIGTERM in which the study in hand may end by itself; hosts kill after 10."""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``serve``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser(
        "serve", parents=[common], help="answer the studies of an Orthanc, until it is stopped", description=DISCLAIMER
    )
    parser.add_argument("--orthanc", metavar="URL", help="address of Orthanc's REST interface (orthanc.url)")
    parser.add_argument("--since", metavar="DATE", help="films received earlier are left alone (studies.since)")
    parser.add_argument("--bundle", type=named_path, help="MONAI Bundle (model.bundle)")
    parser.add_argument("--settings", type=named_path, metavar="FILE", help="TOML file, see docs/hospital.md")
    parser.add_argument(
        "--retry-refused", action="store_true", help="try studies again that another version of the software refused"
    )
    parser.add_argument("--once", action="store_true", help="end when no study needs anything at this moment")
    parser.add_argument("--check", action="store_true", help="check settings, Orthanc and bundle, print them, and end")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command and return the exit code."""
    from monai_xray2mri.hospital.archive import Archive
    from monai_xray2mri.hospital.board import Board
    from monai_xray2mri.hospital.events import Audit, Events, JsonLog
    from monai_xray2mri.hospital.maker import ChildMaker
    from monai_xray2mri.hospital.scratch import clear_scratch
    from monai_xray2mri.hospital.settings import model_options, read_settings
    from monai_xray2mri.hospital.worker import Worker, check_archive
    from monai_xray2mri.systems.registry import default_bundle, system_of

    use_huge_pages()
    given = {"orthanc.url": options.orthanc, "studies.since": options.since, "model.bundle": options.bundle}
    settings = read_settings(options.settings, os.environ, {key: str(value) for key, value in given.items() if value})
    system = system_of(settings.model.bundle or default_bundle())
    model = model_options(settings, system, os.environ)
    audit = Audit(Path(settings.log.audit_file) if settings.log.audit_file else None, "xray2mri")
    archive = Archive(settings.orthanc)
    stop = threading.Event()
    _stop_on_signal(stop)
    events = Events(JsonLog())
    found = check_archive(archive, settings) if options.check else _wait_for_archive(archive, settings, events, stop)
    if found is None:
        return ExitCode.DONE
    maker = ChildMaker(model, settings.answers.partial)
    try:
        if options.check:
            print(json.dumps({**found, "version": maker.version, "system": system.name}, indent=2))
            return ExitCode.DONE
        clear_scratch()
        events.add(audit)
        board = Board(_viewer(settings))
        worker = Worker(
            archive,
            maker,
            settings,
            system.modalities,
            events,
            stop=stop,
            retry_refused=options.retry_refused,
            board=board,
        )
        _abandon_in_time(worker)
        if options.once:
            worker.drain()
            return ExitCode.DONE
        page = _status_page(worker, board, settings, events, maker.version)
        worker.run()
        if page is not None:
            page.close()
    finally:
        maker.close()
        archive.close()
    return ExitCode.DONE


def _viewer(settings: Settings) -> Callable[[str, str], str]:
    """Address of a study in the viewer that the settings name, else in Orthanc's own explorer."""
    pattern = settings.orthanc.viewer or settings.orthanc.url.rstrip("/") + "/app/explorer.html#study?uuid={id}"

    def link(study: str, uid: str) -> str:
        return "" if "{study}" in pattern and not uid else pattern.replace("{study}", uid).replace("{id}", study)

    return link


def _status_page(worker: Worker, board: Board, settings: Settings, events: Events, version: str) -> StatusPage | None:
    """The page, where the settings give it a port."""
    from monai_xray2mri.hospital.metrics import Metrics
    from monai_xray2mri.hospital.page import Served, StatusPage

    def healthy() -> bool:
        longest = settings.limits.study_s + settings.orthanc.timeout_s + _SLACK_S
        return time.monotonic() - worker.beat < longest

    def ready() -> bool:
        return worker.ready

    if not settings.page.port:
        return None
    metrics = Metrics(version, lambda: float(worker.waiting), board.oldest_wait, ready)
    events.add(metrics)
    served = Served(board, metrics, events, healthy, ready, worker.retry, version, worker.name)
    page = StatusPage(settings.page, served)
    events("page", port=page.port)
    return page


def _wait_for_archive(
    archive: Archive, settings: Settings, events: Events, stop: threading.Event
) -> dict[str, object] | None:
    """Check Orthanc once it answers, for it may be started after the worker; None if the worker is stopped before."""
    from monai_xray2mri.hospital.archive import Unreachable
    from monai_xray2mri.hospital.worker import check_archive

    while not stop.is_set():
        try:
            return check_archive(archive, settings)
        except Unreachable as error:
            events("archive-unreachable", code=error.code)
            stop.wait(_PATIENCE_S)
    return None


def _stop_on_signal(stop: threading.Event) -> None:
    """Let SIGTERM and Ctrl-C end the loop, which gives back the study in hand."""

    def told(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)


def _abandon_in_time(worker: Worker) -> None:
    """End the process in time after a signal, even where a destination keeps a request waiting."""

    def watch() -> None:
        worker.stop.wait()
        threading.Event().wait(_GRACE_S)
        worker.abandon()
        os._exit(ExitCode.DONE)

    threading.Thread(target=watch, name="grace", daemon=True).start()
