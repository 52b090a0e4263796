from __future__ import annotations

import pytest
import torch

from monai_xray2mri.simulation.knee.people.seeds import knee_generator
from monai_xray2mri.simulation.knee.xray.trabeculae import Trabeculae, draw_texture, draw_trabeculae, fanned
from monai_xray2mri.simulation.tools.texture import PITCH_MM


@pytest.fixture(scope="module")
def trabeculae() -> Trabeculae:
    return draw_trabeculae(knee_generator(1, "trabeculae"))


def places(columns: int, rows: int, pixel_mm: float = 0.3) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.arange(columns)[None] * pixel_mm - 10.0, 5.0 - torch.arange(rows)[:, None] * pixel_mm


def test_fields_have_unit_variance_and_are_drawn_alike(trabeculae):
    again = draw_trabeculae(knee_generator(1, "trabeculae"))
    for name, field in trabeculae.fields.items():
        assert float(field.values.std()) == pytest.approx(1, abs=0.01)
        assert torch.equal(field.values, again.fields[name].values)
    assert not torch.allclose(trabeculae.fields["femur"].values, trabeculae.fields["tibia"].values)


def test_another_crop_shows_the_same_trabeculae(trabeculae):
    x, z = places(80, 60)
    whole = trabeculae.textured("tibia", torch.full((60, 80), 4.0), x, z)
    part = trabeculae.textured("tibia", torch.full((20, 30), 4.0), x[:, 40:70], z[30:50])
    torch.testing.assert_close(whole[30:50, 40:70], part)


def test_texture_leaves_the_mean_and_grows_with_the_root_of_the_path(trabeculae):
    x, z = places(320, 200)
    thin, thick = (trabeculae.textured("femur", torch.full((200, 320), path), x, z) for path in (8.0, 32.0))
    assert float(thick.mean()) == pytest.approx(32.0, rel=0.03)
    assert float(thick.std() / thin.std()) == pytest.approx(2.0, rel=0.1)
    assert float(trabeculae.textured("femur", torch.zeros(200, 320), x, z).abs().max()) == 0


def test_struts_of_the_tibia_stand_upright():
    """There is more power across the load than along it on scales below 2 mm."""
    values = draw_texture(knee_generator(2, "trabeculae"), "tibia").values
    power = torch.fft.fft2(values).abs().square()
    down, across = (torch.fft.fftfreq(size, PITCH_MM) for size in values.shape)
    fine = (down[:, None].square() + across[None].square()).sqrt() > 0.5
    upright = power[fine & (across[None].abs() > 2 * down[:, None].abs())].mean()
    lying = power[fine & (down[:, None].abs() > 2 * across[None].abs())].mean()
    assert upright > 2 * lying


def test_power_falls_with_frequency():
    values = draw_texture(knee_generator(2, "trabeculae"), "patella").values
    power = torch.fft.fft2(values).abs().square()
    down, across = (torch.fft.fftfreq(size, PITCH_MM) for size in values.shape)
    radius = (down[:, None].square() + across[None].square()).sqrt()
    bands = [power[(radius > low) & (radius < 2 * low)].mean() for low in (0.1, 0.2, 0.4, 0.8)]
    assert bands == sorted(bands, reverse=True)


def test_struts_converge_towards_the_shaft():
    x = torch.tensor([[10.0]])
    assert float(fanned(x, torch.tensor([[0.0]]), 40.0, 20.0, 50.0)) == 10.0
    assert float(fanned(x, torch.tensor([[50.0]]), 40.0, 20.0, 50.0)) == 20.0
    assert float(fanned(x, torch.tensor([[90.0]]), 40.0, 20.0, 50.0)) == 20.0


def test_soft_tissue_exchanges_fat_for_muscle(trabeculae):
    x, z = places(60, 60)
    fat, lean = trabeculae.soft_tissue(torch.full((60, 60), 20.0), torch.full((60, 60), 80.0), x, z)
    torch.testing.assert_close(fat + lean, torch.full((60, 60), 100.0))
    assert 0 < float(fat.std()) < 5
    nothing = trabeculae.soft_tissue(torch.zeros(60, 60), torch.zeros(60, 60), x, z)
    assert float(nothing[0].abs().max()) == float(nothing[1].abs().max()) == 0
