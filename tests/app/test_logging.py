"""The log holds the app's own lines, and errors of others."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_the_log_holds_our_lines_alone(
    app_package: Path, level: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from launch import set_up_logging

    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])  # pytest's own
    monkeypatch.setattr(root, "level", root.level)
    set_up_logging(level)
    for name in ("fontTools.subset", "fontTools.ttLib", "matplotlib", "root"):
        logging.getLogger(name).info("a line of %s", name)
        logging.getLogger(name).warning("a warning of %s", name)
    logging.getLogger("xray2mri").info("ours")
    logging.getLogger("monai_xray2mri.training").info("ours, too")
    logging.getLogger("fontTools.subset").error("broken font")
    logging.getLogger("pydicom").error("Miller^Jane")
    assert capsys.readouterr().err.splitlines() == [
        "INFO xray2mri: ours",
        "INFO monai_xray2mri.training: ours, too",
        "ERROR fontTools.subset: broken font",
    ]
