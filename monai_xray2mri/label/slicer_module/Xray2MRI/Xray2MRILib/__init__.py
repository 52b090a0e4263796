"""What the module Xray2MRI does without Slicer's windows."""  # noqa: N999

from .server import WARNING, Refused, Server, Settings, Source, SyntheticImage

__all__ = ["WARNING", "Refused", "Server", "Settings", "Source", "SyntheticImage"]
