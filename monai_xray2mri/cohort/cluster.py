"""What the model of :mod:`.scale` assumes; the command line has its fields as options."""

from __future__ import annotations

from dataclasses import dataclass

from monai_xray2mri.errors import UsageError


@dataclass(frozen=True)
class Cluster:
    """What is assumed of a cluster and of the work.

    Attributes:
        nodes: machines.
        workers: processes of each.
        median_seconds, late_seconds: of a study: median and 95th percentile of a log-normal distribution.
        start_seconds: until a worker has loaded its model.
        failure_hours: mean time until a node fails or is taken away (exponential); its workers lose their studies.
        return_seconds: until another node stands in its place.
        slow_share, slow_factor: share of the nodes that are slow, and how many times slower.
        megabytes, files: that a study writes.
        storage_megabytes, storage_files: that the shared storage takes a second.
        price: of a node and hour.
        shared_queue: whether free workers take the next study (Ray); otherwise every node has its own share of them
            (``--shard``).
    """

    nodes: int = 1
    workers: int = 16
    median_seconds: float = 10.0
    late_seconds: float = 20.0
    start_seconds: float = 15.0
    failure_hours: float = 200.0
    return_seconds: float = 300.0
    slow_share: float = 0.03
    slow_factor: float = 3.0
    megabytes: float = 5.0
    files: float = 56.0
    storage_megabytes: float = 1000.0
    storage_files: float = 5000.0
    price: float = 0.8
    shared_queue: bool = False

    def __post_init__(self) -> None:
        for name in ("nodes", "workers"):
            if getattr(self, name) < 1:
                raise UsageError(f"option {name}", "must be at least 1", str(getattr(self, name)))
        if not 0 < self.median_seconds <= self.late_seconds:
            raise UsageError(
                "seconds of a study", "must be more than 0, the 95th percentile not below the median",
                f"{self.median_seconds:g} and {self.late_seconds:g}",
            )  # fmt: skip
