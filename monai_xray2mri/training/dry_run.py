"""What a training step costs, measured without doing it: parameters, memory and arithmetic.

The step of the configuration (forward and backward pass of its micro-batches, optimizer, average) runs on PyTorch's
fake tensors, which have shapes and types but no numbers. Every storage that is made is counted while it lives, so the
peak is that of the real order of operations, recomputation and gradients included; no memory of the network's size is
needed. What it leaves out: the allocator's fragmentation, cuDNN's and cuBLAS's work space, the CUDA context, and what
simulates, encodes or loads the data.
"""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import torch
from monai.bundle import ConfigParser
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from monai_xray2mri.errors import UsageError
from monai_xray2mri.training.autoencoder import AutoencoderLoss
from monai_xray2mri.training.denoiser import ConditionalDenoising, WeightedSquaredError
from monai_xray2mri.training.weights import checkpoint_activations, trained_parameters

GB: Final = 1e9


@dataclass(frozen=True)
class StepCost:
    """Cost of one step in each process.

    Attributes:
        stage: ``"autoencoder"`` or ``"denoiser"``.
        parameters: of the whole network.
        trained_parameters: of what the stage trains.
        batch_size: images of a step, over all processes.
        micro_batch: images that are computed together.
        accumulate: micro-batches one after the other.
        processes: that share a step.
        checkpoint_activations: whether activations are computed again.
        precision: of matrix products and convolutions.
        weights_gb: all weights, float32, in 10^9 bytes.
        gradients_gb: of what is trained.
        optimizer_gb: state of AdamW.
        average_gb: the moving average.
        activations_gb: what the peak has above all that: activations, copies of lower precision, temporaries.
        peak_gb: greatest memory of tensors within a step.
        flops: floating point operations of a step in one process (a multiplication and an addition are two).
    """

    stage: str
    parameters: int
    trained_parameters: int
    batch_size: int
    micro_batch: int
    accumulate: int
    processes: int
    checkpoint_activations: bool
    precision: str
    weights_gb: float
    gradients_gb: float
    optimizer_gb: float
    average_gb: float
    activations_gb: float
    peak_gb: float
    flops: float

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For people."""
        how = "computed again" if self.checkpoint_activations else "kept"
        return [
            f"stage {self.stage}: {self.parameters:,} parameters, {self.trained_parameters:,} of them trained",
            f"  batch {self.batch_size} = {self.micro_batch} slices x {self.accumulate} micro-batches"
            f" x {self.processes} processes, {self.precision}, activations {how}",
            f"  memory per process: {self.peak_gb:.2f} GB = weights {self.weights_gb:.2f} + gradients"
            f" {self.gradients_gb:.2f} + optimizer {self.optimizer_gb:.2f} + average {self.average_gb:.2f}"
            f" + activations {self.activations_gb:.2f}",
            f"  arithmetic per step and process: {self.flops / 1e12:.2f} TFLOP",
        ]


def normalize_in_float32(module: nn.Module) -> None:
    """Have a module normalize in float32 under autocast, as CUDA does; a CPU, which stands for the GPU, would not."""
    for part in module.modules():
        if isinstance(part, nn.GroupNorm | nn.LayerNorm):
            part.register_forward_pre_hook(lambda _, inputs: (inputs[0].float(), *inputs[1:]))


class LiveMemory(TorchDispatchMode):
    """Counts the bytes of the storages that operations make, while they live.

    Attributes:
        live: bytes now.
        peak: the most since :meth:`restart`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live, self.peak = 0, 0
        self._known: dict[int, Any] = {}

    def restart(self) -> None:
        """Look for the peak from now on."""
        self.peak = self.live

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operation and count what it made."""
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                self._count(value)
        return result

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known:
            return
        size = storage.nbytes()

        def gone(_: Any) -> None:
            self.live -= size
            self._known.pop(key, None)

        self._known[key] = weakref.ref(storage, gone)
        self.live += size
        self.peak = max(self.peak, self.live)


def measure_step(parser: ConfigParser, stage: str, processes: int = 1) -> StepCost:
    """Measure a step of a stage by its configuration.

    Args:
        parser: the configuration of the stage: ``network_def``, ``batch_size``, ``accumulate``, ``precision`` ...
        stage: what is trained, ``"autoencoder"`` or ``"denoiser"``.
        processes: that would share a step.

    Raises:
        UsageError: the batch does not divide evenly.
    """
    batch_size, accumulate = int(parser["batch_size"]), int(parser["accumulate"])
    if batch_size % (accumulate * processes):
        rule = f"must be a multiple of {accumulate} micro-batches in each of {processes} processes"
        raise UsageError("batch size", rule, str(batch_size))
    micro_batch = batch_size // (accumulate * processes)
    again = bool(parser["checkpoint_activations"])
    dtype = parser.get_parsed_content("precision")
    memory, counter = LiveMemory(), FlopCounterMode(display=False)
    with FakeTensorMode(allow_non_fake_inputs=True), memory:
        network: Any = parser.get_parsed_content("network_def")
        module, forward = _work(network, stage, micro_batch, parser)
        checkpoint_activations(module, again)
        if dtype is not None:
            normalize_in_float32(module)
        parameters = trained_parameters(module)
        average = [parameter.detach().clone() for parameter in parameters]
        optimizer = torch.optim.AdamW(parameters)
        with counter:
            _micro_batch(forward, dtype)
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)  # as MONAI's trainer does
        state = sum(value.untyped_storage().nbytes() for value in tree_leaves(list(optimizer.state.values())))
        gc.collect()  # of what building left in cycles
        memory.restart()
        for _ in range(min(accumulate, 2)):  # the second one adds to gradients that are there
            _micro_batch(forward, dtype)
        optimizer.step()
    weights = sum(_bytes(value) for value in (*network.parameters(), *network.buffers()))
    gradients = sum(_bytes(parameter) for parameter in parameters)
    kept = sum(_bytes(value) for value in average)
    return StepCost(
        stage=stage,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        trained_parameters=sum(parameter.numel() for parameter in parameters),
        batch_size=batch_size,
        micro_batch=micro_batch,
        accumulate=accumulate,
        processes=processes,
        checkpoint_activations=again,
        precision=str(dtype or torch.float32).removeprefix("torch."),
        weights_gb=weights / GB,
        gradients_gb=gradients / GB,
        optimizer_gb=state / GB,
        average_gb=kept / GB,
        activations_gb=(memory.peak - weights - gradients - state - kept) / GB,
        peak_gb=memory.peak / GB,
        flops=float(counter.get_total_flops() * accumulate),
    )


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _micro_batch(forward: Callable[[], Tensor], dtype: torch.dtype | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a CPU stands for the GPU here
        with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
            loss = forward()
        loss.backward()


def _work(network: Any, stage: str, count: int, parser: ConfigParser) -> tuple[nn.Module, Callable[[], Tensor]]:
    """The trained module of a stage, and a function that computes the loss of a micro-batch of zeros."""
    side = network.image_size
    if stage == "autoencoder":
        prepared = parser["train"]["prepare_batch"].get("size")  # of crops that are cut on the device
        crop = int(prepared or parser["train"]["dataset"]["size"])
        images = torch.zeros(count, 1, crop, crop)
        autoencoder, loss = network.autoencoder.train(), AutoencoderLoss()
        return autoencoder, lambda: loss(autoencoder(images), images)
    network.autoencoder.requires_grad_(False)
    denoising, error = ConditionalDenoising(network).train(), WeightedSquaredError()
    latent = torch.zeros(count, *network.latent_shape())
    given = {
        "t": torch.zeros(count, dtype=torch.int64),
        "image": torch.zeros(count, 1, side, side),
        "image_latent": latent,
        "place": torch.zeros(count, *network.place_shape),
        "guide": torch.zeros(count, network.guide_width),
        "keep": torch.ones(count, 3),
    }
    if getattr(network, "mixing", None) is not None:
        given["stack"] = torch.arange(count) // int(parser.get("stack_slices", 1))
    weight = torch.ones(count, 1, *latent.shape[2:])
    return denoising, lambda: error(denoising(latent, **given), (latent, weight))
