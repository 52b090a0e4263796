"""What the module Xray2MRI does without Slicer's windows."""  # noqa: N999

from .server import Knee, Refused, Server, Settings, SyntheticKnee

__all__ = ["Knee", "Refused", "Server", "Settings", "SyntheticKnee"]
