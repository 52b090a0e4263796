"""What a volume asks of a machine by every way of drawing it, and what its convolutions take alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from monai_xray2mri.evaluation.machine_limit import LayerTime, Work, convolutions_of, times_alone, work_of
from monai_xray2mri.networks.inference import inference_twin
from monai_xray2mri.systems.knee_xray2mri.drawing import condition_of
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.systems.knee_xray2mri.speed.ladder import settings_of
from monai_xray2mri.systems.knee_xray2mri.speed.loops import Task, authors_network
from monai_xray2mri.systems.knee_xray2mri.speed.paper import paper_network
from monai_xray2mri.systems.knee_xray2mri.speed.rungs import DECODED_BEFORE, RUNGS, Rung


@torch.inference_mode()
def parts_of_work(network: SliceDiffusion, kind: str) -> dict[str, Work]:
    """Work of encoding a radiograph, of one call of the denoiser and of decoding, for one slice; ``meta`` counts too.

    Args:
        network: with weights or without.
        kind: as :attr:`Rung.network`.
    """
    taken = authors_network(network) if kind == "authors" else network
    twin = inference_twin(taken) if kind == "twin" else taken
    like, size = network.null_context, network.image_size
    film, features = like.new_zeros(1, 1, size, size), like.new_zeros(1, network.guide_width)
    latent, place = like.new_zeros(1, *network.latent_shape()), like.new_zeros(1)
    condition = network.condition(film, features)
    t = torch.zeros(1, dtype=torch.long, device=like.device)
    return {
        "condition": work_of(lambda: network.condition(film, features)),
        "denoise": work_of(lambda: twin.denoise(latent, t, condition, place)),
        "decode": work_of(lambda: twin.decode(latent)),
    }


def work_of_volume(rung: Rung, parts: Mapping[str, Work], slices: int, steps: int, chunk: int) -> Work:
    """Work of a volume by :func:`parts_of_work` of the rung's network."""
    encoded = {"slice": slices, "chunk": -(-slices // chunk), "volume": 1}[rung.conditions]
    return parts["condition"] * encoded + parts["denoise"] * (slices * steps) + parts["decode"] * slices


@torch.inference_mode()
def layer_times(task: Task) -> list[LayerTime]:
    """Each convolution of a volume timed alone, as it was before twins: what a loop of these layers takes at least."""
    network, chunk = task.network, min(task.chunk, task.slices)
    like, parts = network.null_context, -(-task.slices // chunk)
    latent = like.new_zeros(chunk, *network.latent_shape())
    condition = condition_of(network, task.view).expand(chunk)
    t, place = torch.zeros(chunk, dtype=torch.long, device=like.device), like.new_zeros(chunk)
    denoised = convolutions_of(network.denoiser, lambda: network.denoise(latent, t, condition, place))
    few = latent[:DECODED_BEFORE]
    decoded = convolutions_of(network.autoencoder, lambda: network.decode(few))
    calls = {shape: count * parts * task.settings.steps for shape, count in denoised.items()}
    for shape, count in decoded.items():
        calls[shape] = calls.get(shape, 0) + count * -(-task.slices // DECODED_BEFORE)
    dtype = torch.bfloat16 if task.dtype == "bfloat16" else torch.float32
    return times_alone(type(denoised)(calls), task.device, dtype)


def paper_work(bundle: Path) -> dict[str, Any]:
    """What a volume of the paper's size asks for, by rung; networks hold no numbers and nothing is computed."""
    with torch.device("meta"):
        network = paper_network(bundle)
    parts = {kind: parts_of_work(network, kind) for kind in ("authors", "plain", "twin")}
    rungs = {}
    for name, rung in RUNGS.items():
        if not (rung.fast or rung.small):
            steps = settings_of(network, rung).steps
            work = work_of_volume(rung, parts[rung.network], network.slices, steps, Task.chunk)
            rungs[name] = {"tflop": work.gflop / 1e3, "terabytes": work.gigabytes / 1e3, "steps": steps}
    return {"slices": network.slices, "steps": network.settings.steps, "rungs": rungs}
