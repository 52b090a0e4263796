"""Leads ``monai-deploy exec`` to :mod:`monai_xray2mri.deploy.command`, whoever wrote the script ``monai-deploy``.

``deploy_hook.pth`` is installed into site-packages, where Python reads it at every start. Its one line looks at the
command line and imports this module only for a script or module named ``monai...`` (``monai-deploy``,
``python -m monai.bundle``); any other start pays microseconds. Nothing is run here yet either: a finder waits until the
script imports ``holoscan_cli.__main__``, then puts this package's command in front of that module's ``main``.
Importing this package has by then loaded the CUDA runtime without which MONAI's own commands fail beside the SDK
(:mod:`monai_xray2mri.deploy.cuda_runtime`). MONAI Label's server is helped to start beside pydicom 3
(:mod:`monai_xray2mri.deploy.pydicom_names`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

from monai_xray2mri.deploy.pydicom_names import know_old_name

TARGET = "holoscan_cli.__main__"


class ExecFinder(MetaPathFinder):
    """Finds ``holoscan_cli.__main__`` as the other finders do, and extends its ``main`` once it is loaded."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module's own spec with a loader that also knows ``exec``; None for every other module."""
        if name != TARGET:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = partial(_load, spec.loader.exec_module)  # type: ignore[method-assign]
        return spec


def _load(execute_module: Callable[[ModuleType], None], module: ModuleType) -> None:
    from monai_xray2mri.deploy.command import main

    execute_module(module)
    module.main = partial(main, sdk_main=module.main)  # type: ignore[attr-defined]


if "exec" in sys.orig_argv:
    sys.meta_path.insert(0, ExecFinder())
if "monailabel.main" in sys.orig_argv:
    know_old_name()
