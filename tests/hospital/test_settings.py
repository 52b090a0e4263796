"""Settings of a hospital: one file, variables over it, errors that name the key."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from monai_xray2mri.errors import UsageError
from monai_xray2mri.hospital.settings import KEYS, Destination, model_options, read_settings, variable
from monai_xray2mri.systems.registry import find_system

WHOLE = """
[orthanc]
url = "http://orthanc:8042"
username = "xray2mri"
[studies]
since = 2026-12-01
quiet_s = 30
body_parts = ["KNEE"]
[model]
bundle = "some/bundle"
[model.request]
side = "left"
[model.sampling]
samples = 4
[model.outputs]
label = "none"
[answers]
replaced = "reject"
[[destinations]]
name = "PACS"
commitment = true
[[destinations]]
name = "cloud"
kind = "stow"
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "xray2mri.toml"
    file.write_text(text)
    return file


def test_a_file_says_everything(tmp_path):
    settings = read_settings(write(tmp_path, WHOLE), {})
    assert settings.studies.since == datetime(2026, 12, 1, tzinfo=UTC)
    assert settings.studies.body_parts == ("KNEE",) and settings.studies.quiet_s == 30
    assert settings.destinations == (Destination("PACS", commitment=True), Destination("cloud", "stow"))
    assert settings.answers.replaced == "reject" and settings.model.outputs.label == "none"
    model = model_options(settings, find_system("knee_xray2mri"), {})
    assert model.request["side"] == "L" and model.sampling["samples"] == 4


def test_variables_go_before_the_file_and_the_command_line_before_both(tmp_path):
    environment = {
        "XRAY2MRI_STUDIES_QUIET_S": "7",
        "XRAY2MRI_ORTHANC_URL": "http://other:1",
        "XRAY2MRI_DESTINATIONS": "A, B",
        "XRAY2MRI_STEPS": "3",
        "XRAY2MRI_STUDIES_CALLED_AETS": "KNEE,FOOT",
    }
    settings = read_settings(write(tmp_path, WHOLE), environment, {"orthanc.url": "http://third:2"})
    assert (settings.studies.quiet_s, settings.orthanc.url) == (7, "http://third:2")
    assert [one.name for one in settings.destinations] == ["A", "B"]
    assert settings.studies.called_aets == ("KNEE", "FOOT")
    assert model_options(settings, find_system("knee_xray2mri"), environment).sampling["steps"] == 3


def test_secrets_come_from_files_or_variables_and_are_not_shown(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    text = WHOLE.replace('username = "xray2mri"', f'username = "x"\npassword_file = "{secret}"')
    settings = read_settings(write(tmp_path, text), {"XRAY2MRI_PAGE_TOKEN": "t0ken"})
    assert settings.orthanc.password == "s3cret" and settings.page.token == "t0ken"
    assert "s3cret" not in repr(settings) and "t0ken" not in repr(settings)


@pytest.mark.parametrize(
    "old, new, named",
    [
        ("quiet_s = 30", "quiet_s = -1", "studies.quiet_s"),
        ("quiet_s = 30", "quiet = 30", "studies.quiet"),
        ("quiet_s = 30", 'quiet_s = "soon"', "studies.quiet_s"),
        ("[answers]", "[answer]", "answer.replaced"),
        ("since = 2026-12-01", "", "studies.since"),
        ("since = 2026-12-01", 'since = "yesterday"', "studies.since"),
        ('url = "http://orthanc:8042"', "", "orthanc.url"),
        ('url = "http://orthanc:8042"', 'url = "http://me:secret@orthanc"', "orthanc.url"),
        ('url = "http://orthanc:8042"', 'url = "http://orthanc:port"', "orthanc.url"),
        ('url = "http://orthanc:8042"', 'url = "http://[::1"', "orthanc.url"),
        ('url = "http://orthanc:8042"', 'url = "http://me:secret@orthanc:port"', "orthanc.url"),
        ('username = "xray2mri"', 'ca_file = "/nowhere"', "orthanc.ca_file: needs an https address"),
        ('replaced = "reject"', 'replaced = "burn"', "answers.replaced"),
        ("samples = 4", "samples = 0.5", "model.sampling.samples"),
        ("samples = 4", "sample = 4", "model.sampling.sample"),
        ('side = "left"', 'side = "up"', "model.request.side"),
        ('label = "none"', 'label = "big"', "model.outputs.label"),
        ('name = "PACS"', 'name = "a name with spaces"', r"destinations\[1\].name"),
        ('name = "PACS"', 'name = "Bildarchiv_Süd"', r"destinations\[1\].name"),
        ('name = "cloud"', 'name = "PACS"', "destinations"),
        ('kind = "stow"', 'kind = "ftp"', r"destinations\[2\].kind"),
        ('kind = "stow"', 'kind = "stow"\ncommitment = true', r"destinations\[2\].commitment"),
        ('username = "xray2mri"', 'password_file = "/nowhere"', "orthanc.password_file"),
        ("[studies]", "[studies", "TOML"),
    ],
)
def test_an_error_names_its_key(tmp_path, old, new, named):
    assert old in WHOLE
    with pytest.raises(UsageError, match=named) as caught:
        settings = read_settings(write(tmp_path, WHOLE.replace(old, new, 1)), {})
        model_options(settings, find_system("knee_xray2mri"), {})
    assert "me:secret" not in str(caught.value)


def test_more_commitments_than_a_state_can_name_are_refused(tmp_path):
    rows = "".join(f'[[destinations]]\nname = "P{number}"\ncommitment = true\n' for number in range(4))
    with pytest.raises(UsageError, match=r"destinations: must ask at most 3 .* P0, P1, P2, P3"):
        read_settings(write(tmp_path, WHOLE.partition("[[destinations]]")[0] + rows), {})


@pytest.mark.parametrize("key", ["orthanc.password_file", "page.token_file"])
def test_a_secret_that_is_empty_is_refused(tmp_path, key):
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(UsageError, match=rf"{key}: must name a file with a secret in it .*empty"):
        read_settings(write(tmp_path, WHOLE), {variable(key): str(tmp_path / "secret")})


@pytest.mark.parametrize("content, found", [(None, "No such file"), ("no PEM", "no certificate")])
def test_certificates_that_are_none_are_refused(tmp_path, content, found):
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    text = WHOLE.replace("http:", "https:").replace("[studies]", f'ca_file = "{tmp_path}/ca.pem"\n[studies]')
    with pytest.raises(UsageError, match=rf"orthanc.ca_file: must name .* {found}"):
        read_settings(write(tmp_path, text), {})


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(UsageError, match="settings file"):
        read_settings(tmp_path / "none.toml", {})


def test_every_key_has_one_variable_and_no_two_share_one():
    names = [variable(option.name) for option in KEYS]
    assert len(set(names)) == len(names) and "XRAY2MRI_ORTHANC_URL" in names
