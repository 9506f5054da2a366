"""What models require: told, and installed for one model alone, by the real pip from a folder of the test's own."""

import base64
import hashlib
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
from fakes.servers import raw_server

import wfctl
from wfctl.archive.mar import write_mar
from wfctl.errors import LoadError
from wfctl.service.install import RequirementsError
from wfctl.service.prepare import Request, prepare
from wfctl.store.stop import Stop

SPEC = "models:\n  m1: {url: m1.mar}\n  m2: {url: m2.mar}\ndag:\n  m1: [m2]\n"
MODEL = """\
import wfctl_test_tiny


def handle(data, context):
    if data is None:
        return None
    import click, torch
    return [row["body"].decode() + wfctl_test_tiny.VERSION + " " for row in data]
"""


@pytest.fixture
def packages(tmp_path):
    """Return a folder of small packages: the tiny one in two versions, and one that needs it, click and torch."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for number in ("1.0", "2.0"):
        _wheel(folder, "wfctl_test_tiny", number, f"VERSION = {number!r}\n")
    _wheel(folder, "wfctl_test_user", "1.0", "", "wfctl_test_tiny==1.0", "click>=8", "torch>=2")
    _wheel(folder, "click", "99.0", "raise ImportError('the wrong click')\n")
    return folder


def _wheel(folder, name, version, text, *requires):
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    files = {
        f"{name}.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(content)}\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")


@pytest.fixture
def flow(tmp_path, packages):
    """Return a function that writes a workflow of two models with requirements."""

    def write(first, second, *, options="--no-index\n--find-links {packages}\n", model=MODEL):
        folder = tmp_path / "flow"
        folder.mkdir()
        (folder / "workflow.yaml").write_text(SPEC)
        for name, wanted in (("m1", first), ("m2", second)):
            parts = tmp_path / name
            parts.mkdir()
            (parts / "model.py").write_text(model)
            (parts / "requirements.txt").write_text(options.format(packages=packages) + wanted)
            write_mar(
                folder / f"{name}.mar",
                model_name=name,
                handler=parts / "model.py",
                requirements_file=parts / "requirements.txt",
            )
        return folder

    return write


def _codes(deployment):
    return [found.code for found in deployment.report if found.code.startswith("WF51")]


@pytest.mark.parametrize("inline", [False, True])
def test_two_models_get_the_versions_that_they_ask_for(flow, inline) -> None:
    folder = flow("wfctl_test_tiny==1.0\n", "wfctl-test-tiny>=2\n")
    with wfctl.open_deployment(folder, inline=inline, install_requirements=True) as opened:
        assert opened.predict(b"").body == b"1.0 2.0 "
        assert _codes(opened) == []
    assert "wfctl_test_tiny" not in sys.modules


def test_what_is_there_is_neither_brought_again_nor_shadowed(flow) -> None:
    folder = flow("wfctl_test_user\nclick>=8\n", "wfctl_test_tiny==2.0\n")
    with wfctl.open_deployment(folder, install_requirements=True) as opened:
        assert opened.predict(b"").body == b"1.0 2.0 "
        plan = opened.engine._plan
    (first, second) = (node.code.import_paths for node in plan.nodes)
    assert (len(first), len(second)) == (1, 1)
    assert first != second


def test_only_what_lacks_lies_in_the_private_folder(flow, packages, tmp_path) -> None:
    from wfctl.archive.unpack import unpack
    from wfctl.service.install import install_requirements

    folder = flow("wfctl_test_user\nclick>=8\n", "click>=8\n")
    for name, expected in (("m1", {"wfctl_test_user.py", "wfctl_test_tiny.py"}), ("m2", None)):
        root = unpack(folder / f"{name}.mar", tmp_path / f"un{name}").root
        into = tmp_path / f"private-{name}"
        found = install_requirements(name, root, "requirements.txt", into, Stop())
        assert found == (into if expected else None)
        if expected:
            assert {path.name for path in into.glob("*.py")} == expected
    assert not list(tmp_path.glob(".pip-*"))


def test_a_wheel_beside_the_requirements_is_found(flow, packages, tmp_path) -> None:
    address = (packages / "wfctl_test_tiny-1.0-py3-none-any.whl").as_uri()
    folder = flow(f"{address}\n", f"wfctl_test_tiny @ {address}\n", options="--no-index\n")
    with wfctl.open_deployment(folder, install_requirements=True) as opened:
        assert opened.predict(b"").body == b"1.0 1.0 "


def test_without_being_asked_nothing_is_installed_and_what_lacks_is_told(flow) -> None:
    folder = flow("wfctl_test_tiny==1.0\n", "click>=8\n", model=MODEL.replace("import wfctl_test_tiny\n", ""))
    with wfctl.open_deployment(folder) as opened:
        (found,) = [each for each in opened.report if each.code == "WF510"]
        assert not any(node.code.import_paths for node in opened.engine._plan.nodes)
    assert found.message == (
        'the requirement "wfctl_test_tiny==1.0" of model "m1" (requirements.txt, line 3) is not installed'
    )
    assert "--install-requirements" in found.help


def test_a_missing_package_fails_where_it_is_imported(flow) -> None:
    with pytest.raises(LoadError, match="wfctl_test_tiny"), wfctl.open_deployment(flow("wfctl_test_tiny\n", "")):
        pass


def test_what_cannot_be_had_is_told_with_the_last_lines_of_pip(flow) -> None:
    folder = flow("wfctl_test_absent==9\n", "")
    with pytest.raises(RequirementsError) as caught, wfctl.open_deployment(folder, install_requirements=True):
        pass
    assert caught.value.node == "m1"
    assert "No matching distribution found for wfctl_test_absent==9" in caught.value.message
    assert "Could not find a version" in caught.value.traceback_text


def test_another_torch_is_not_installed_and_told(flow) -> None:
    folder = flow("torch==1.13.1\nwfctl_test_tiny==1.0\n", "wfctl_test_tiny==1.0\n")
    with wfctl.open_deployment(folder, install_requirements=True) as opened:
        assert opened.predict(b"").body == b"1.0 1.0 "
        messages = [found.message for found in opened.report if found.code == "WF510"]
    # What is installed now is told no more.
    (message,) = messages
    assert '"torch==1.13.1"' in message
    assert "is not met: 2." in message


def test_pip_is_ended_when_the_caller_gives_up(flow, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stop = Stop()

    def give_up_when_asked(connection, over) -> None:
        stop.set()
        over.wait(60)

    with raw_server(give_up_when_asked) as index:
        folder = flow("wfctl_test_tiny==1.0\n", "", options=f"--index-url {index.url()}\n")
        with pytest.raises(RequirementsError):
            prepare(Request(path=folder, install_requirements=True), stop)
    assert list(tmp_path.glob("wfctl-*")) == []


def test_an_archive_that_is_not_trusted_gets_nothing(flow, monkeypatch, tmp_path) -> None:
    from dataclasses import replace

    from wfctl.errors import UnsupportedError
    from wfctl.service import code_units

    whole = code_units._model_code
    monkeypatch.setattr(code_units, "_model_code", lambda *words: replace(whole(*words), is_trusted=False))
    with pytest.raises(UnsupportedError, match='the requirements of node "m1" are not installed'):
        prepare(Request(path=flow("wfctl_test_tiny==1.0\n", ""), install_requirements=True))


def test_modules_of_an_archive_do_not_stand_in_for_those_of_pip(flow, tmp_path, packages) -> None:
    folder = flow("wfctl_test_tiny==1.0\n", "wfctl_test_tiny==1.0\n")
    (tmp_path / "m1" / "logging.py").write_text("raise SystemExit('mine')\n")
    parts = tmp_path / "m1"
    write_mar(
        folder / "m1.mar",
        model_name="m1",
        handler=parts / "model.py",
        requirements_file=parts / "requirements.txt",
        extra_files=[parts / "logging.py"],
        overwrite=True,
    )
    prepared = wfctl.service.prepare.prepare(
        wfctl.service.prepare.Request(path=Path(folder), install_requirements=True)
    )
    try:
        assert all(node.code.import_paths for node in prepared.plan.nodes)
    finally:
        prepared.remove()
