"""What a machine can do at most, and what a job asks of it: matrix rate, layers timed alone, operations and bytes."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

_SIDE: Final = 1536
"""Of the square matrices that the rate is measured with."""
_TRIES: Final = 5


@dataclass(frozen=True)
class LayerShape:
    """A convolution as a network calls it: shapes of input and weight, stride and padding."""

    image: tuple[int, ...]
    weight: tuple[int, ...]
    stride: tuple[int, int]
    padding: tuple[int, int]

    @property
    def gflop(self) -> float:
        """Operations of one call, a product and a sum counted as two, in 10^9; borders count as the rest."""
        batch, _, height, width = self.image
        pixels = batch * (height // self.stride[0]) * (width // self.stride[1])
        return 2 * pixels * math.prod(self.weight) / 1e9


@dataclass(frozen=True)
class LayerTime:
    """A convolution timed alone.

    Attributes:
        shape: of it.
        calls: in the job.
        seconds: least time of one call.
    """

    shape: LayerShape
    calls: int
    seconds: float

    @property
    def rate(self) -> float:
        """10^9 operations a second."""
        return self.shape.gflop / self.seconds


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """10^9 operations a second of a large matrix product: the limit that shares are given of."""
    left, right = (torch.rand(_SIDE, _SIDE, device=device).to(dtype) for _ in range(2))
    return 2 * _SIDE**3 / 1e9 / least_seconds(lambda: left @ right, device)


def least_seconds(work: Callable[[], Any], device: torch.device) -> float:
    """Least time of a few calls after the first; on a CPU that of the processor, all threads together."""
    clock, found = time.process_time if device.type == "cpu" else time.perf_counter, []
    for _ in range(1 + _TRIES):
        start = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        found.append(clock() - start)
    return min(found[1:])


def convolutions_of(network: nn.Module, job: Callable[[], Any]) -> Counter[LayerShape]:
    """The convolutions that a job calls, and how often."""
    found: Counter[LayerShape] = Counter()

    def note(layer: nn.Module, given: tuple[Any, ...], _: Any) -> None:
        assert isinstance(layer, nn.Conv2d)
        image, weight = tuple(given[0].shape), tuple(layer.weight.shape)
        found[LayerShape(image, weight, layer.stride, layer.padding)] += 1  # type: ignore[arg-type]

    hooks = [layer.register_forward_hook(note) for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    try:
        job()
    finally:
        for hook in hooks:
            hook.remove()
    return found


@torch.inference_mode()
def times_alone(shapes: Counter[LayerShape], device: torch.device, dtype: torch.dtype) -> list[LayerTime]:
    """Each convolution timed alone, with channels last; the dearest first."""
    found = []
    for shape, calls in shapes.items():
        image, weight = (
            torch.rand(size, device=device).to(dtype).contiguous(memory_format=torch.channels_last)
            for size in (shape.image, shape.weight)
        )
        convolve = lambda image=image, weight=weight, shape=shape: F.conv2d(  # noqa: E731
            image, weight, None, shape.stride, shape.padding
        )
        found.append(LayerTime(shape, calls, least_seconds(convolve, device)))
    return sorted(found, key=lambda layer: -layer.calls * layer.seconds)


@dataclass(frozen=True)
class Work:
    """What a job asks of a machine: operations, and bytes that layers read and write, whether from a cache or not."""

    gflop: float
    gigabytes: float

    def __add__(self, other: Work) -> Work:
        return Work(self.gflop + other.gflop, self.gigabytes + other.gigabytes)

    def __sub__(self, other: Work) -> Work:
        return Work(self.gflop - other.gflop, self.gigabytes - other.gigabytes)

    def __mul__(self, times: float) -> Work:
        return Work(self.gflop * times, self.gigabytes * times)


class _Traffic(TorchDispatchMode):
    """Counts what operations read and write; views move nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            leaves = tree_leaves((args, kwargs, result))
            self.bytes += sum(leaf.numel() * leaf.element_size() for leaf in leaves if isinstance(leaf, torch.Tensor))
        return result


def work_of(job: Callable[[], Any]) -> Work:
    """What a job asks for, on any device, ``meta`` too, where nothing is computed.

    A convolution by Winograd counts as the plain sum that it stands for.
    """
    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.aten._nnpack_spatial_convolution: _plain_sum})
    with torch.inference_mode(), _Traffic() as traffic, counter:
        job()
    return Work(counter.get_total_flops() / 1e9, traffic.bytes / 1e9)


def _plain_sum(image: Any, weight: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    batch, _, height, width = image
    return 2 * batch * height * width * math.prod(weight)
