"""What an editable installation needs beyond the package's path: the line that gives ``monai-deploy`` its ``exec``.

A wheel gets the bundles too (``force-include`` of pyproject.toml); an editable installation finds them beside the
package and must not hold a second copy that grows old.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class EditableBuildHook(BuildHookInterface):
    """Limits the forced files of an editable installation to the start-up line."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Runs before the build (hatchling's build hook interface)."""
        build_data["force_include_editable"]["monai_xray2mri/deploy/hook.pth"] = "monai_xray2mri_deploy_hook.pth"
