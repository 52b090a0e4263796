"""Which time steps the second stage draws."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.errors import UsageError
from monai_xray2mri.training.denoiser import ForwardDiffusion, log_snr_shares


@pytest.fixture
def schedule() -> NoiseSchedule:
    return NoiseSchedule(1000, "cosine", "v")


def test_steps_are_drawn_evenly_in_log_snr(schedule: NoiseSchedule) -> None:
    shares = log_snr_shares(schedule, -16, 4)
    ratio = (schedule.alpha_bar / (1 - schedule.alpha_bar)).log()
    assert shares.sum() == pytest.approx(20) and (shares >= 0).all()
    for low, high in ((-16, -8), (-8, 0), (0, 4)):
        inside = (ratio.clamp(-16, 4) >= low) & (ratio < high)
        assert shares[inside].sum() == pytest.approx(high - low, abs=0.1)
    assert not shares[ratio > 4.1].any()


def test_a_schedule_that_ends_early_has_its_last_step_drawn_for_the_rest() -> None:
    """Stable Diffusion's ends at a log SNR of -5.4."""
    shares = log_snr_shares(NoiseSchedule(1000, "scaled_linear"), -16, 4)
    assert shares.sum() == pytest.approx(20) and shares[-1] > 10


def test_the_draw_follows_the_shares(schedule: NoiseSchedule) -> None:
    network: Any = SimpleNamespace(schedule=schedule)
    torch.manual_seed(0)
    even, steep = ForwardDiffusion(network, high_noise_share=0.5), ForwardDiffusion(network, log_snr=(-16, 4))
    drawn = steep.draw_timesteps(4000)
    assert drawn.dtype == torch.int64 and (drawn > 970).float().mean() == pytest.approx(0.5, abs=0.1)
    assert (even.draw_timesteps(4000) > 970).float().mean() == pytest.approx(0.03, abs=0.01)


@pytest.mark.parametrize("range_", [(4.0, -16.0), (30.0, 40.0)])
def test_a_range_without_steps_is_refused(schedule: NoiseSchedule, range_: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="option log_snr"):
        log_snr_shares(schedule, *range_)
