"""What the processes of one training run agree on (``torchrun``, ``configs/multi_gpu_train.json``); alone, nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from ignite.engine import Engine, Events

Made = TypeVar("Made")


def distributed() -> bool:
    """Whether this process is one of several."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """Number of this process; 0 writes files and speaks."""
    return dist.get_rank() if distributed() else 0


def world() -> int:
    """Number of processes."""
    return dist.get_world_size() if distributed() else 1


def _reduced(value: float, operation: Any) -> float:
    if not distributed():
        return value
    device = torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else "cpu"
    shared = torch.tensor(value, dtype=torch.float64, device=device)
    dist.all_reduce(shared, operation)
    return float(shared)


def mean(value: float) -> float:
    """Mean of a number over all processes, which must all call this."""
    return _reduced(value, dist.ReduceOp.SUM) / world()


def any_of(wanted: bool) -> bool:
    """Whether any process says yes; all must call this, and all get the same answer."""
    return _reduced(float(wanted), dist.ReduceOp.MAX) > 0


def rank_zero_first(make: Callable[[], Made]) -> Made:
    """Call ``make`` in process 0, then in the others, which find on the disk what it has prepared."""
    if not distributed() or rank() == 0:
        made = make()
    if distributed():
        dist.barrier()
        if rank() > 0:
            made = make()
    return made


class ExchangeOnLast:
    """Lets the processes exchange gradients only with the last micro-batch of a step.

    What ``DistributedDataParallel.no_sync`` does, as a handler. A network that is not replicated is left alone.

    Args:
        network: what the trainer calls.
        accumulate: micro-batches per step.
    """

    def __init__(self, network: torch.nn.Module, accumulate: int) -> None:
        self.network: Any = network
        self.accumulate = accumulate

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        if isinstance(self.network, torch.nn.parallel.DistributedDataParallel):
            engine.add_event_handler(Events.ITERATION_STARTED, self._decide)

    def _decide(self, engine: Engine) -> None:
        self.network.require_backward_grad_sync = engine.state.iteration % self.accumulate == 0
