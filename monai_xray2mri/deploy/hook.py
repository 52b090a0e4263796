"""What this package adds to commands of MONAI when they start, whoever wrote their scripts.

``deploy_hook.pth`` is installed into site-packages, where Python reads it at every start. Its one line looks at the
command line and imports this module only for a script or module named ``monai...`` (``monai-deploy``,
``python -m monai.bundle``, ``python -m monailabel.main``); any other start pays microseconds. Importing this package
has by then loaded the CUDA runtime without which MONAI's own commands fail where the SDK is installed
(:mod:`monai_xray2mri.runtime.cuda_runtime`). Nothing else is run here yet: finders wait until the command imports a
module of its own.

- ``monai-deploy exec``: :mod:`monai_xray2mri.deploy.command` is put in front of ``main`` of ``holoscan_cli.__main__``.
- MONAI Label's server starts with pydicom 3, too (:mod:`monai_xray2mri.deploy.pydicom_names`), and ``monailabel.app``
  answers this package's errors with their reason (:mod:`monai_xray2mri.label.answers`).
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


class AfterImport(MetaPathFinder):
    """Finds one module as the other finders do, and has it extended once it is loaded.

    Args:
        module: its name.
        extend: called with the loaded module.
    """

    def __init__(self, module: str, extend: Callable[[ModuleType], None]) -> None:
        self.module, self.extend = module, extend

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module's own spec with a loader that also extends it; None for every other module."""
        if name != self.module:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = partial(_load, spec.loader.exec_module, self.extend)  # type: ignore[method-assign]
        return spec


def _load(
    execute_module: Callable[[ModuleType], None], extend: Callable[[ModuleType], None], module: ModuleType
) -> None:
    execute_module(module)
    extend(module)


def add_exec(module: ModuleType) -> None:
    """Put this package's command in front of the SDK's."""
    from monai_xray2mri.deploy.command import main

    module.main = partial(main, sdk_main=module.main)  # type: ignore[attr-defined]


def add_answers(module: ModuleType) -> None:
    """Let MONAI Label's server answer this package's errors."""
    from monai_xray2mri.label.answers import answer_errors

    answer_errors(module.app)


if "exec" in sys.orig_argv:
    sys.meta_path.insert(0, AfterImport("holoscan_cli.__main__", add_exec))
if "monailabel.main" in sys.orig_argv:
    know_old_name()
    sys.meta_path.insert(0, AfterImport("monailabel.app", add_answers))
