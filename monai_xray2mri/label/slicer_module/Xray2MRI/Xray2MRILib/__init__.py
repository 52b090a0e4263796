"""What the module Xray2MRI does without Slicer's windows."""  # noqa: N999

from .server import WARNING, Knee, Refused, Server, Settings, SyntheticKnee

__all__ = ["WARNING", "Knee", "Refused", "Server", "Settings", "SyntheticKnee"]
