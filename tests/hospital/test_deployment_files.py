"""What an engineer copies: compose, Kubernetes, quadlets, Orthanc's configuration, the worker's settings."""

from __future__ import annotations

import configparser
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from monai_xray2mri.hospital.settings import read_settings
from tests.helpers.dicom_objects import program

HOSPITAL = Path(__file__).parents[2] / "hospital"


def module(name: str):
    spec = importlib.util.spec_from_file_location(f"hospital_{name}", HOSPITAL / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def documents(name: str) -> list[dict]:
    return [one for one in yaml.safe_load_all((HOSPITAL / "kubernetes" / name).read_text()) if one]


def test_the_settings_are_read_and_name_a_destination_that_orthanc_knows(tmp_path):
    text = (HOSPITAL / "xray2mri.toml").read_text()
    for secret in ("orthanc_password", "page_token"):
        (tmp_path / secret).write_text("secret")
    file = tmp_path / "xray2mri.toml"
    file.write_text(text.replace("/run/secrets", str(tmp_path)))
    settings = read_settings(file, {})
    orthanc = json.loads((HOSPITAL / "orthanc.json").read_text())
    assert {one.name for one in settings.destinations} <= set(orthanc["DicomModalities"])
    assert orthanc["CheckRevisions"] is True and orthanc["AuthenticationEnabled"] is True
    assert orthanc["DicomCheckCalledAet"] and orthanc["DicomCheckModalityHost"] and not orthanc["DicomAlwaysAllowStore"]
    assert settings.orthanc.username in (HOSPITAL / "orthanc-users.example.json").read_text()


def test_every_way_to_start_the_worker_is_as_hard_as_the_others():
    compose = yaml.safe_load((HOSPITAL / "compose.yaml").read_text())
    worker = compose["services"]["worker"]
    assert worker["read_only"] and worker["cap_drop"] == ["ALL"] and worker["user"] == "10001:10001"
    assert worker["security_opt"] == ["no-new-privileges:true"] and worker["stop_grace_period"] == "10s"
    assert compose["networks"]["inside"] == {"internal": True}
    assert all(port.startswith("127.0.0.1:") for port in worker["ports"])
    checks = [service["healthcheck"]["test"] for service in compose["services"].values()]
    assert all(check[0] == "CMD-SHELL" and len(check) == 2 for check in checks)

    (deployment,) = documents("worker.yaml")
    pod = deployment["spec"]["template"]["spec"]
    context = pod["containers"][0]["securityContext"]
    assert context == {
        "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert pod["securityContext"]["runAsUser"] == 10001 and pod["terminationGracePeriodSeconds"] == 10

    unit = configparser.ConfigParser(strict=False)
    unit.optionxform = str
    unit.read(HOSPITAL / "quadlets" / "xray2mri.container")
    container = unit["Container"]
    assert (container["ReadOnly"], container["DropCapability"], container["NoNewPrivileges"], container["User"]) == (
        "true", "ALL", "true", "10001",
    )  # fmt: skip
    assert container["Exec"].split()[0] == worker["command"][0] == pod["containers"][0]["args"][0] == "serve"


def test_secrets_are_files_and_stand_in_no_manifest():
    texts = [file.read_text() for file in HOSPITAL.rglob("*") if file.is_file() and file.suffix != ".pyc"]
    assert not any(re.search(r"(?i)password\s*[=:]\s*[\"']?\w+[\"']?$", text, re.MULTILINE) for text in texts)
    assert "hospital/secrets/" in (HOSPITAL.parent / ".gitignore").read_text()


def test_kubernetes_gets_every_manifest_with_its_files(tmp_path):
    kubectl = program("kubectl", "kubernetes-client")
    folder = shutil.copytree(HOSPITAL, tmp_path / "hospital", ignore=shutil.ignore_patterns("secrets"))
    (folder / "secrets").mkdir()
    for name in ("orthanc-users.json", "orthanc_password", "page_token"):
        (folder / "secrets" / name).write_text("secret")
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [one for one in yaml.safe_load_all(done.stdout) if one]
    kinds = {f"{one['kind']} {re.sub('-[a-z0-9]{10}$', '', one['metadata']['name'])}" for one in found}
    assert kinds == {
        "Namespace xray2mri", "ConfigMap orthanc", "ConfigMap xray2mri", "Secret orthanc-users", "Secret worker",
        "StatefulSet orthanc", "Deployment worker", "Service orthanc", "Service dicom", "NetworkPolicy worker",
        "NetworkPolicy orthanc",
    }  # fmt: skip
    held = {one["metadata"]["name"] for one in found if one["kind"] in ("ConfigMap", "Secret")}
    for one in found:
        if one["kind"] in ("StatefulSet", "Deployment"):
            used = re.findall(r"'(?:name|secretName)': '([a-z0-9-]+-[a-z0-9]{10})'", str(one["spec"]["template"]))
            assert len(used) == 2 and set(used) <= held, one["kind"]
    (settings,) = (one["data"]["xray2mri.toml"] for one in found if one["metadata"]["name"].startswith("xray2mri-"))
    assert settings == (HOSPITAL / "xray2mri.toml").read_text()


def test_quadlets_use_keys_that_podman_4_7_knows():
    for file in (HOSPITAL / "quadlets").glob("*.container"):
        text = file.read_text().split("[Container]")[1].split("[Service]")[0]
        assert set(re.findall(r"^(\w+)=", text, re.MULTILINE)) <= QUADLET_KEYS, file.name


QUADLET_KEYS = {
    "DropCapability", "Exec", "Group", "HealthCmd", "HealthInterval", "HealthRetries", "HealthStartPeriod", "Image",
    "Network", "NoNewPrivileges", "PodmanArgs", "PublishPort", "ReadOnly", "Secret", "Tmpfs", "Ulimit", "User",
    "Volume",
}  # fmt: skip
"""The generator of Podman 4.7 ends with an error at any that it does not know (StopTimeout came with 5.0)."""


def test_no_action_of_the_workflow_can_be_moved():
    text = (HOSPITAL.parent / ".github" / "workflows" / "image.yml").read_text()
    uses = re.findall(r"uses: (\S+)", text)
    assert uses and all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one) for one in uses)
    yaml.safe_load(text)


def test_the_manifests_are_those_of_the_packager_field_by_field(tmp_path):
    manifests = module("manifests")
    manifests.main(tmp_path, "1.2.3")
    app, package = (json.loads((tmp_path / name).read_text()) for name in ("app.json", "pkg.json"))
    theirs = packaged(tmp_path)
    assert set(theirs["app.json"]) - {"environment"} <= set(app)
    assert set(theirs["pkg.json"]) <= set(package)
    for name in ("apiVersion", "input", "output", "sdk", "timeout", "workingDirectory", "liveness", "readiness"):
        ours, other = app[name], theirs["app.json"][name]
        assert ours == other or name in ("input", "output", "workingDirectory"), name
    assert set(package["models"]) == {one.name for one in (HOSPITAL.parent / "bundle").iterdir() if one.is_dir()}
    for name in ("apiVersion", "applicationRoot", "modelRoot"):
        assert package[name].rstrip("/") == theirs["pkg.json"][name].rstrip("/"), name


def packaged(folder: Path) -> dict[str, dict]:
    """What holoscan-cli 4.2.0 writes for the app, with a stand-in for docker that keeps the build context."""
    pytest.importorskip("holoscan_cli")
    packager = Path(sys.executable).parent / "monai-deploy"
    if not packager.exists():
        found = [
            Path(place) / "bin" / "monai-deploy"
            for place in (Path(importlib.util.find_spec("holoscan_cli").origin).parents[4],)
        ]
        packager = next((one for one in found if one.exists()), None)
    if packager is None:
        pytest.skip("monai-deploy (extra deploy) is not installed")
    (folder / "bin").mkdir()
    docker = folder / "bin" / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    images = {kind: "localhost/base" for kind in ("dgpu", "igpu", "cpu")}
    source = {"4.2.0": {"holoscan": {"debian-version": "4.2.0.0-1", "wheel-version": "4.2.0", "base-images": images,
              "build-images": {"igpu": {}, "dgpu": {}, "cpu": {}}}, "health-probes": {}}}  # fmt: skip
    (folder / "artifacts.json").write_text(json.dumps(source))
    models = folder / "models" / "knee_xray2mri"
    models.mkdir(parents=True)
    (models / "model.pt").write_bytes(b"x")
    app = HOSPITAL.parent / "app_package"
    command = [str(packager), "package", str(app), "-c", str(app / "app.yaml"), "-m", str(models.parent), "-t", "x:1"]
    command += ["--platform", "x86_64", "--source", str(folder / "artifacts.json")]
    environment = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "SHIM_OUT": str(folder / "context"), "HOME": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if not (folder / "context" / "map").is_dir():
        pytest.skip(f"the packager wrote no build context: {(done.stdout + done.stderr)[-300:]}")
    return {name: json.loads((folder / "context" / "map" / name).read_text()) for name in ("app.json", "pkg.json")}


DOCKER = """#!/bin/bash
case "$*" in
 *"buildx ls"*) echo '{"Name":"holoscan_app_builder","Driver":"docker-container","Nodes":[]}';;
 *"buildx create"*) echo holoscan_app_builder;;
 *"buildx inspect"*) printf 'Name:   holoscan_app_builder\\nDriver: docker-container\\n';;
 *"image inspect"*) echo '[{"Id":"sha256:0","RepoTags":["x:y"]}]';;
 *"buildx build"*) mkdir -p "$SHIM_OUT"; cp -a "${@: -1}/." "$SHIM_OUT/";;
esac
exit 0
"""


def test_the_entry_point_runs_the_app_the_worker_or_a_sub_command():
    tools = module("tools")
    environment = {"HOLOSCAN_INPUT_PATH": "/in", "HOLOSCAN_OUTPUT_PATH": "/out", "HOLOSCAN_MODEL_PATH": "/models"}
    app = tools.command([], environment)
    assert app[1:] == ["/opt/holoscan/app", "-i", "/in", "-o", "/out", "-m", "/models"]
    assert tools.command(["--side", "R"], environment)[-2:] == ["--side", "R"]
    assert tools.command(["serve", "--check"], environment)[1:] == ["-m", "monai_xray2mri.cli", "serve", "--check"]
    mercure = tools.command([], {"MERCURE_IN_DIR": "/tmp/data", "MERCURE_OUT_DIR": "/tmp/output"})
    assert mercure[2:6] == ["-i", "/tmp/data", "-o", "/tmp/output"]


def test_extract_copies_everything_that_a_package_holds(tmp_path):
    tools = module("tools")
    names = dict(zip([*tools.PARTS.values(), *tools.MANIFESTS], "abcdef", strict=False))
    for name, part in names.items():
        place = tmp_path / part
        if name in ("HOLOSCAN_CONFIG_PATH", *tools.MANIFESTS):
            place.write_text("{}")
        else:
            (place / "inner").mkdir(parents=True)
    tools.extract({name: str(tmp_path / part) for name, part in names.items()}, tmp_path / "export")
    assert {one.name for one in (tmp_path / "export").iterdir()} == {"app", "models", "docs", "config", "manifests"}


def test_every_file_names_the_version_of_the_package():
    version = re.search(r'^version = "(.+)"', (HOSPITAL.parent / "pyproject.toml").read_text(), re.MULTILINE)[1]
    for file in HOSPITAL.rglob("*"):
        if file.is_file() and file.suffix != ".pyc":
            assert set(re.findall(r"localhost/xray2mri:([\w.]+\d)", file.read_text())) <= {version}, file


def test_every_threat_names_a_test_that_exists(repository):
    page = (repository / "docs" / "hospital.md").read_text().split("## Threats")[1].split("##")[0]
    named = re.findall(r"`((?:\w+/)*test_\w+\.py)`(?:: ((?:`\.\.\.[\w.]+`(?:, )?)+))?", page)
    assert len(named) >= 12 and sum(bool(parts) for _, parts in named) >= 8
    for file, parts in named:
        (found,) = (repository / "tests").rglob(file)
        names = re.findall(r"def (test_\w+)", found.read_text())
        for part in re.findall(r"`\.\.\._(\w+?)_?(?:\.\.\.)?`", parts):
            assert any(part.removesuffix("_") in name for name in names), (file, part)
