"""``monai-deploy exec`` beside the SDK's own sub-commands, in every order of installation."""

from __future__ import annotations

import zipfile

import pytest

from tests.deploy.conftest import run

PROBE = "import sys; print(sys.argv[1:]); sys.exit(7)\n"


@pytest.fixture(scope="module")
def sdk_first(make_environment, holoscan_cli, wheel):
    environment = make_environment("sdk_first")
    environment.install(holoscan_cli)
    environment.install(wheel)
    return environment


@pytest.fixture(scope="module")
def sdk_last(make_environment, holoscan_cli, wheel):
    environment = make_environment("sdk_last")
    environment.install(wheel)
    environment.install(holoscan_cli)
    return environment


@pytest.fixture(scope="module")
def editable(make_environment, holoscan_cli, wheel, repository):
    environment = make_environment("editable")
    environment.install(holoscan_cli)
    environment.pip("install", "--no-deps", "--no-build-isolation", "-e", repository)
    return environment


@pytest.fixture
def sdk_again(sdk_first, holoscan_cli):
    """holoscan-cli reinstalled over a working installation."""
    sdk_first.install(holoscan_cli)
    return sdk_first


@pytest.fixture(params=["sdk_first", "sdk_last", "sdk_again", "editable"])
def installed(request):
    return request.getfixturevalue(request.param)


def test_exec_and_the_sdk_commands_work(installed, tmp_path):
    app = tmp_path / "probe.py"
    app.write_text(PROBE)
    help_text = run(installed.command, "exec", "--help")
    assert help_text.returncode == 0 and "APP" in help_text.stdout

    done = run(installed.command, "exec", app, "-i", "in", "-o", "out", "--", "--side", "R")
    assert (done.returncode, done.stdout.strip()) == (7, "['-i', 'in', '-o', 'out', '--side', 'R']"), done.stderr

    version = run(installed.command, "version")
    assert version.returncode == 0 and "Holoscan CLI:           4.2.0" in version.stdout
    unknown = run(installed.command, "perform")
    assert unknown.returncode == 2 and "'package', 'run', 'version', 'nics'" in unknown.stderr


def test_the_module_needs_no_script(sdk_last, tmp_path):
    app = tmp_path / "app.py"
    app.write_text(PROBE)
    module = (sdk_last.python, "-m", "monai_xray2mri.deploy")
    assert run(*module, "exec", tmp_path).returncode == 7
    version = run(*module, "version")
    assert version.returncode == 0 and "Holoscan CLI" in version.stdout


def test_other_starts_of_python_load_nothing(sdk_last):
    seen = run(sdk_last.python, "-c", "import sys; print([name for name in sys.modules if 'xray2mri' in name])")
    assert seen.stdout.strip() == "[]" and not seen.stderr
    trace = run(sdk_last.python, "-X", "importtime", sdk_last.command, "exec", "--help")
    modules = {line.rsplit("|", 1)[-1].strip() for line in trace.stderr.splitlines()}
    assert "monai_xray2mri.deploy" in modules
    assert modules.isdisjoint({"torch", "monai", "numpy", "holoscan"})


def test_removal_leaves_the_sdk_command(make_environment, holoscan_cli, wheel):
    environment = make_environment("removed")
    environment.install(holoscan_cli)
    environment.install(wheel)
    environment.pip("uninstall", "-y", "monai-xray2mri")
    assert run(environment.command, "version").returncode == 0
    gone = run(environment.command, "exec", "--help")
    assert gone.returncode == 2 and "invalid choice: 'exec'" in gone.stderr
    assert "Traceback" not in gone.stderr and "Error processing line" not in gone.stderr
    assert not [path.name for path in environment.packages.iterdir() if "xray2mri" in path.name]


def test_without_the_sdk_the_extra_is_named(make_environment, wheel, tmp_path):
    environment = make_environment("without_sdk", dependencies=False)
    environment.install(wheel)
    (tmp_path / "app.py").write_text(PROBE)
    for arguments in (["exec", tmp_path], ["version"]):
        done = run(environment.python, "-m", "monai_xray2mri.deploy", *arguments)
        assert done.returncode == 2
        assert "pip install 'monai-xray2mri[deploy]'" in done.stderr and "Traceback" not in done.stderr


def test_the_wheel_holds_bundle_and_hook_but_no_script_of_the_sdk(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "monai_xray2mri/bundle/knee_xray2mri/configs/inference.json" in names
    assert "monai_xray2mri_deploy_hook.pth" in names
    scripts = zipfile.ZipFile(wheel).read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert "xray2mri = monai_xray2mri.cli:main" in scripts and "monai-deploy" not in scripts
    assert not [name for name in names if name.startswith(("tests/", "app_package/"))]
