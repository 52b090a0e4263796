"""Writes ``app.json`` and ``pkg.json`` of a MONAI Application Package (specification 1.0.0)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

MODELS = ("foot_xray_sccdm", "knee_xray2mri", "knee_xray2mri_koa", "mri_xdiffusion")


def app_manifest(version: str) -> dict[str, Any]:
    """How the app is started, and where its input and output are."""
    return {
        "apiVersion": "1.0.0",
        "command": '["/usr/bin/tini", "--", "/var/holoscan/tools"]',
        "environment": {},
        "input": {"path": "input", "formats": None},
        "liveness": None,
        "output": {"path": "output", "formats": None},
        "readiness": None,
        "sdk": "monai-deploy",
        "sdkVersion": "4.0.0",
        "timeout": 0,
        "type": "application",
        "version": version,
        "workingDirectory": "/var/holoscan",
    }


def package_manifest(version: str) -> dict[str, Any]:
    """What the package holds, and what it needs."""
    return {
        "apiVersion": "1.0.0",
        "applicationRoot": "/opt/holoscan/app",
        "modelRoot": "/opt/holoscan/models",
        "models": {name: f"/opt/holoscan/models/{name}" for name in MODELS},
        "platform": "x86_64",
        "platformConfig": "dgpu",
        "resources": {"cpu": 1, "gpu": 0, "memory": "4Gi", "gpuMemory": "0Gi"},
        "version": version,
    }


def main(folder: Path, version: str) -> None:
    """Write both."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("app.json", app_manifest(version)), ("pkg.json", package_manifest(version))):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
