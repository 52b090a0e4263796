"""Figures of the worker in Prometheus' form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from monai_xray2mri.runtime.optional import optional_library

_BUCKETS: Final = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
_OUTCOMES: Final = ("done", "refused", "failed", "passed")


class Metrics:
    """Counts events, as one of their listeners.

    Args:
        version: of software and weights.
        waiting: how many studies wait.
        oldest: for how many seconds the oldest of them has waited.
        ready: whether Orthanc answers.
    """

    def __init__(
        self, version: str, waiting: Callable[[], float], oldest: Callable[[], float], ready: Callable[[], bool]
    ) -> None:
        library = optional_library("prometheus_client", "hospital")
        self._registry = library.CollectorRegistry()
        self._text = library.generate_latest
        common = {"registry": self._registry}
        self._studies = library.Counter("xray2mri_studies", "Studies by how they ended", ["outcome"], **common)
        for outcome in _OUTCOMES:
            self._studies.labels(outcome)
        self._seconds = library.Histogram(
            "xray2mri_study_seconds", "Seconds from claim to end", buckets=_BUCKETS, **common
        )
        self._deliveries = library.Counter(
            "xray2mri_deliveries", "Rounds of sending to a destination", ["destination", "outcome"], **common
        )
        self._instances = library.Counter("xray2mri_instances_stored", "Instances stored in Orthanc", **common)
        self._outages = library.Counter("xray2mri_archive_outages", "Times that Orthanc did not answer", **common)
        library.Gauge("xray2mri_waiting", "Studies that are not final", **common).set_function(waiting)
        library.Gauge("xray2mri_oldest_waiting_seconds", "Age of the oldest of them", **common).set_function(oldest)
        library.Gauge("xray2mri_archive_up", "Whether Orthanc answers", **common).set_function(lambda: float(ready()))
        library.Info("xray2mri_model", "Software, bundle and weights", **common).info({"version": version})

    def __call__(self, event: str, fields: dict[str, Any]) -> None:
        """Count an event."""
        if event in _OUTCOMES:
            self._studies.labels(event).inc()
            if "seconds" in fields:
                self._seconds.observe(fields["seconds"])
        elif event in ("delivered", "undelivered"):
            self._deliveries.labels(fields["destination"], event).inc()
        elif event == "stored":
            self._instances.inc(fields["instances"])
        elif event == "archive-unreachable":
            self._outages.inc()

    def text(self) -> bytes:
        """What ``/metrics`` answers."""
        return bytes(self._text(self._registry))
