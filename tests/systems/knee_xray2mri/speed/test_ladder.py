"""The rungs of the ladder draw one picture; work, quality and endurance are told as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from monai_xray2mri.core.bundles import shipped_bundle
from monai_xray2mri.evaluation.machine_limit import Work
from monai_xray2mri.runtime.devices import computes_bfloat16
from monai_xray2mri.simulation.knee.people.seeds import TEST
from monai_xray2mri.systems.knee_xray2mri.drawing import KneeView
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion, load_slice_diffusion
from monai_xray2mri.systems.knee_xray2mri.speed import endurance, ladder, work
from monai_xray2mri.systems.knee_xray2mri.speed.compiled import compiled_loop
from monai_xray2mri.systems.knee_xray2mri.speed.ladder import Case, Cost, Job, Picture
from monai_xray2mri.systems.knee_xray2mri.speed.loops import Task, authors_loop, authors_network, own_loop
from monai_xray2mri.systems.knee_xray2mri.speed.rungs import EQUAL, FEWER, HALF, RUNGS, TRAINED, Rung
from monai_xray2mri.systems.knee_xray2mri.tiny_network import tiny_network

SLICES = 5


@pytest.fixture(scope="module")
def network() -> SliceDiffusion:
    torch.manual_seed(0)
    return tiny_network(steps=4, noise_shared=0.2)  # a divisor of T: diffusers and MONAI know no other grid


@pytest.fixture(scope="module")
def task(network: SliceDiffusion) -> Task:
    torch.manual_seed(1)
    view = KneeView(torch.rand(64, 64) * 2 - 1, torch.zeros(61), "one")
    return Task(network, view, SLICES, network.settings, chunk=3)


@pytest.fixture(scope="module")
def reference(task: Task) -> np.ndarray:
    return authors_loop(replace(task, network=authors_network(task.network))).numpy()


@pytest.mark.parametrize(
    "name", [name for name, rung in RUNGS.items() if rung.tolerance in (EQUAL, HALF) and not rung.compiles]
)
def test_every_way_draws_the_authors_picture(name: str, task: Task, reference: np.ndarray) -> None:
    rung = RUNGS[name]
    if name == "monai":
        pytest.importorskip("monai")
    if rung.half and not computes_bfloat16(torch.device("cpu")):
        pytest.skip("this processor does not compute bfloat16")
    network = authors_network(task.network) if rung.network == "authors" else task.network
    given = replace(task, network=network, dtype="bfloat16" if rung.half else "float32")
    found = ladder.compare(rung, rung.draw(given).numpy(), reference, None)
    assert found.within, found


@pytest.mark.parametrize("name", ["R4-ddim", "R4-dpm", "R4-unipc"])
def test_fewer_steps_draw_another_picture(name: str, task: Task, reference: np.ndarray) -> None:
    volume = RUNGS[name].draw(task.with_steps(2)).numpy()
    found = ladder.compare(RUNGS[name], volume, reference, None)
    assert volume.shape == reference.shape and np.isfinite(volume).all()
    assert found.within is not True and found.largest > 1


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_nothing(threads: int, task: Task, reference: np.ndarray) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = RUNGS["R3"].draw(task).numpy()
    finally:
        torch.set_num_threads(before)
    assert np.abs(found - reference).max() <= ladder.STORED_UNIT


def test_half_precision_and_float32_are_judged_apart() -> None:
    volume = np.zeros((2, 16, 16), np.float32)
    near = volume + 3 * ladder.STORED_UNIT
    assert ladder.compare(RUNGS["R2"], near, volume, None).within is False
    assert ladder.compare(RUNGS["R2-half"], near, volume, None).within is True
    assert ladder.compare(RUNGS["R2"], near, volume, None).largest == pytest.approx(3, rel=1e-3)
    truth = ladder.compare(RUNGS["R2"], volume, volume, np.full((2, 16, 16), 0.6))
    assert truth.psnr_truth == pytest.approx(20) and truth.within


def test_other_pictures_are_judged_by_the_truth() -> None:
    """R0's picture is 20 dB from a truth of equal grey; a ripple brings another one nearer to it, or away."""
    truth, volume = np.full((2, 16, 16), 0.6), np.zeros((2, 16, 16), np.float32)
    further, nearer = volume - 0.006, volume + 0.006
    for name in ("R4-dpm", "R5"):
        assert ladder.compare(RUNGS[name], nearer, volume, truth).within is True
        assert ladder.compare(RUNGS[name], further, volume, truth).within is (RUNGS[name].tolerance.loss_db == 0.5)
        assert ladder.compare(RUNGS[name], further - 0.1, volume, truth).within is False
        assert ladder.compare(RUNGS[name], nearer, volume, None).within is None
    assert ladder.compare(RUNGS["R4-dpm"], volume + 0.5, volume, None).within is False  # another knee, whatever is true
    blurred = Picture(30.0, 0.9, 9.0, 20.0, 0.494, None)
    assert ladder._within(RUNGS["R5"].tolerance, blurred, (20.0, 0.5)) is False
    assert ladder._within(RUNGS["R5"].tolerance, blurred, (20.0, 0.498)) is True


def test_a_tolerance_says_what_it_asks() -> None:
    assert str(EQUAL) == "at most 1 stored unit a voxel" and str(HALF) == "at least 40 dB"
    assert str(TRAINED) == "loses at most 0.1 dB, 0.005 SSIM"


def test_fewer_steps_of_the_shipped_weights_draw_the_same_knee() -> None:
    network, case = load_slice_diffusion(shipped_bundle("knee_xray2mri")), ladder.simulated_case(TEST[0])
    assert case.truth is not None
    places = network.depths(len(case.truth))
    every = places[[20, 30]]  # the joint
    task = Task(network.eval(), case.view(), 2, ladder.settings_of(network, RUNGS["R0"]))
    network.depths = lambda slices: every  # type: ignore[method-assign]
    known = own_loop(task).numpy()
    for name, rung in RUNGS.items():
        if rung.tolerance is FEWER and not (rung.half or rung.only_cuda):
            drawn = rung.draw(replace(task, settings=ladder.settings_of(network, rung))).numpy()
            found = ladder.compare(rung, drawn, known, case.truth[[20, 30]])
            assert found.within, (name, found)


def test_a_network_is_compiled_once_for_all_volumes(task: Task, reference: np.ndarray) -> None:
    """By a backend that notes what it is given and builds nothing."""
    compiled: list[object] = []

    def backend(graph: torch.fx.GraphModule, given: list[Tensor]) -> Any:
        compiled.append(given)
        return graph.forward

    first = compiled_loop(task, backend=backend)
    number = len(compiled)
    assert number == 2  # denoiser and decoder, each in one piece
    assert ladder.compare(RUNGS["R3-compiled"], first.numpy(), reference, None).within
    assert torch.equal(compiled_loop(task, backend=backend), first) and len(compiled) == number


def test_compiling_pays_after_some_volumes() -> None:
    plain = Cost((2.0,), (4.0,), 3.0, 5.0, 1.0, 700.0, None)
    compiled = replace(plain, seconds=(1.0,), cpu_seconds=(2.0,), first=8.5, first_cpu=45.0)
    assert ladder.pays_after(compiled, plain, "cpu") == 21  # 40 more at first, 2 less for each of 20 others
    assert ladder.pays_after(compiled, plain, "cuda") == 7  # 5.5 more, 1 less each
    assert ladder.pays_after(replace(compiled, cpu_seconds=(4.0,)), plain, "cpu") is None
    assert ladder.pays_after(replace(compiled, first_cpu=3.0), plain, "cpu") == 1


def test_work_is_that_of_the_way(network: SliceDiffusion) -> None:
    plain, twin = (work.parts_of_work(network, kind) for kind in ("plain", "twin"))
    assert twin["decode"].gflop < plain["decode"].gflop  # upsampling is folded
    assert twin["denoise"].gflop < plain["denoise"].gflop
    r0 = work.work_of_volume(RUNGS["R0"], plain, slices=4, steps=3, chunk=2)
    r2 = work.work_of_volume(RUNGS["R2"], plain, slices=4, steps=3, chunk=2)
    own = work.work_of_volume(RUNGS["before"], plain, slices=4, steps=3, chunk=4)
    assert r0.gflop - r2.gflop == pytest.approx(2 * plain["condition"].gflop)
    assert r2.gflop - own.gflop == pytest.approx(plain["condition"].gflop)
    assert own.gflop == pytest.approx(
        plain["condition"].gflop + 12 * plain["denoise"].gflop + 4 * plain["decode"].gflop
    )


def test_layers_are_timed_as_often_as_a_volume_calls_them(task: Task) -> None:
    found = work.layer_times(task)
    coarsest = [layer for layer in found if layer.shape.image[2:] == (1, 1)]  # of the denoiser alone
    assert coarsest and all(layer.calls % (2 * 4) == 0 for layer in coarsest)  # two chunks, four steps
    assert all(layer.seconds > 0 and layer.rate > 0 for layer in found)


def test_a_row_tells_the_share_of_the_limit(tmp_path: Path) -> None:
    job = Job(tmp_path, "R3", "cpu", 2, 50, None, 3, tmp_path)
    cost = Cost((2.0, 1.0, 4.0), (3.0, 2.5, 5.0), 9.0, 11.0, 1.5, 700.0, None)
    row = ladder.row("R3", job, cost, Work(300.0, 10.0), 200.0, None)
    assert row["tolerance"]["units"] == 1 and "stored unit" in row["tolerance"]["words"]
    assert row["seconds"] == 2 and row["spread"] == [1, 4] and row["share_of_limit"] == pytest.approx(0.5)
    on_gpu = ladder.row("R3", replace(job, device="cuda"), cost, Work(300.0, 10.0), 200.0, None)
    assert on_gpu["share_of_limit"] == pytest.approx(0.75)  # of the device's own seconds


def test_a_case_survives_its_file(tmp_path: Path) -> None:
    for truth in (None, np.ones((2, 4, 4))):
        ladder.write_case(Case(np.zeros((4, 4), np.float32), np.ones(61, np.float32), truth), tmp_path / "case.npz")
        found = ladder.read_case(tmp_path / "case.npz")
        assert (found.truth is None) == (truth is None) and found.features.sum() == 61


def test_memory_over_cases_and_slices(
    network: SliceDiffusion, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder, "load_slice_diffusion", lambda bundle: network)
    monkeypatch.setattr(ladder, "read_case", lambda file: Case(task.view.film.numpy(), np.zeros(61, np.float32), None))
    base = Job(tmp_path, "R0", "cpu", torch.get_num_threads(), 5, None, 2, tmp_path)
    small, large = (endurance.measure_volume(endurance.job_of(base, slices)) for slices in (30, 300))
    assert large["beyond_result_mb"] < small["memory_mb"] * 0.1  # the work of a chunk, whatever the slices
    cases = endurance.measure_cases(endurance.job_of(base, 2))
    assert cases["cases"] == 100 and cases["growth_mb"] < 10


def test_the_papers_size_is_counted() -> None:
    found = work.paper_work(shipped_bundle("knee_xray2mri"))
    assert (found["slices"], found["steps"]) == (50, 50)
    r0, r3 = found["rungs"]["R0"]["tflop"], found["rungs"]["R3"]["tflop"]
    assert r0 == pytest.approx(485, rel=0.05) and 0.7 * r0 < r3 < 0.97 * r0
    assert found["rungs"]["R4-dpm"]["steps"] == 4 and found["rungs"]["R4-dpm"]["tflop"] < 0.2 * r3
    assert "R5" not in found["rungs"]  # its weights would be others


def test_rungs_that_must_be_equal_keep_their_steps() -> None:
    assert all(isinstance(rung, Rung) and bool(rung.title) for rung in RUNGS.values())
    assert all((rung.tolerance is FEWER) == (rung.steps is not None) for rung in RUNGS.values())
    assert all((rung.tolerance is TRAINED) == (rung.fast or rung.small) for rung in RUNGS.values())
    assert all(rung.compiles is None or rung.compiles in RUNGS for rung in RUNGS.values())
