"""What a model requires and this environment lacks, installed where only that model sees it.

pip is asked twice: first what it would add to this environment (so that nothing that is here is brought again), then to
put exactly that into a folder of the deployment. Libraries that workers share cannot be replaced for one of them.
Invariant: takes long and belongs in a thread; nothing outside the given folder is written but pip's own cache.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from wfctl.archive.requirements import Line, Requirements, installed_version, is_met, read_requirements
from wfctl.archive.unpack import read_member
from wfctl.check.model import Inside
from wfctl.errors import Blame, LoadError, UnsupportedError
from wfctl.plan import CodeUnit
from wfctl.store.stop import Stop

_SHARED: Final = ("torch", "numpy")
"""The fork-server has loaded them before a worker begins: another version cannot take their place."""
_LAST_LINES: Final = 12
_PIP: Final = ("-P", "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-color", "--quiet")
"""``-P``: modules of an archive must not stand in for those that pip imports."""
_PATH_OPTIONS: Final = ("-f", "--find-links", "-c", "--constraint")


class RequirementsError(LoadError):
    """The requirements of a model cannot be installed; ``traceback_text`` holds pip's last lines."""

    code = "requirements"
    blame = Blame.SYSTEM


def with_requirements(
    code: Mapping[str, CodeUnit], insides: Mapping[str, Inside], into: Path, stop: Stop
) -> dict[str, CodeUnit]:
    """Install what archives require and this environment lacks, each for itself; return the units that got something.

    Raises ``RequirementsError`` with pip's last lines, also where pip is ended because ``stop`` was set.
    """
    into.mkdir()
    units: dict[str, CodeUnit] = {}
    for name, inside in insides.items():
        unit = code[name]
        if inside.requirements_file is None or not inside.unmet:
            continue
        if not unit.is_trusted:
            raise UnsupportedError(
                f'the requirements of node "{name}" are not installed: nobody has said that its archive can be trusted'
            )
        found = install_requirements(name, Path(unit.model_dir), inside.requirements_file, into / name, stop)
        if found is not None:
            units[name] = replace(unit, import_paths=(*unit.import_paths, str(found)))
    return units


def without_installed(unit: CodeUnit, inside: Inside) -> Inside:
    """Return what an archive says, its unmet requirements only as far as installing does not meet them."""
    if inside.requirements_file is None:
        return inside
    free = {
        (line.file, line.number)
        for line in _read(Path(unit.model_dir), inside.requirements_file).requirements
        if _is_free(line)
    }
    return replace(inside, unmet=tuple(each for each in inside.unmet if (each.file, each.line) not in free))


def install_requirements(node: str, model_dir: Path, file: str, into: Path, stop: Stop) -> Path | None:
    """Install what ``file`` in ``model_dir`` asks for and is not here; return the folder, ``None`` if nothing lacks."""
    asked = _read(model_dir, file)
    missing = [line for line in asked.requirements if not is_met(line) and _is_free(line)]
    if not missing:
        return None
    options = [_rooted(option, model_dir / name) for name, option in asked.options]
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".pip-") as scratch:
        wanted = _file(Path(scratch, "wanted.txt"), [*options, *(line.whole for line in missing)])
        kept = _file(Path(scratch, "kept.txt"), _pins())
        report = Path(scratch, "report.json")
        pip = _Pip(node, model_dir, stop)
        pip.run("--dry-run", "--report", str(report), "-r", str(wanted), "-c", str(kept))
        lacking = list(_exact(json.loads(report.read_bytes()), with_hashes="--hash" in wanted.read_text()))
        if not lacking:
            return None
        exact = _file(Path(scratch, "exact.txt"), [*options, *lacking])
        pip.run("--no-deps", "--target", str(into), "-r", str(exact))
    return into


def _read(model_dir: Path, file: str) -> Requirements:
    return read_requirements(file, lambda name, limit: read_member(model_dir, name, limit=limit))


def _is_free(line: Line) -> bool:
    """Whether a requirement is none of what all workers share, and can be read."""
    return line.fault is None and line.wish is not None and line.wish.name.lower() not in _SHARED


def _pins() -> Iterator[str]:
    for name in _SHARED:
        there = installed_version(name)
        if there is not None:
            yield f"{name}=={there}"


def _rooted(option: str, file: Path) -> str:
    """Return an option with a path beside its file made absolute: pip will read it from another file."""
    name, _, value = option.replace("=", " ", 1).partition(" ")
    beside = file.parent / value.strip()
    return f"{name} {beside}" if name in _PATH_OPTIONS and value.strip() and beside.exists() else option


def _file(path: Path, lines: Sequence[str] | Iterator[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _exact(report: dict[str, Any], *, with_hashes: bool) -> Iterator[str]:
    """Yield what pip would install, each as the one file that it chose."""
    for item in report["install"]:
        source = item["download_info"]
        name, number = item["metadata"]["name"], item["metadata"]["version"]
        hashes = source.get("archive_info", {}).get("hashes", {})
        pins = "".join(f" --hash={kind}:{digest}" for kind, digest in hashes.items()) if with_hashes else ""
        if not item.get("is_direct"):
            yield f"{name}=={number}{pins}"
        elif "vcs_info" in source:
            yield f"{name} @ {source['vcs_info']['vcs']}+{source['url']}@{source['vcs_info']['commit_id']}"
        else:
            yield f"{name} @ {source['url']}{pins}"


class _Pip:
    """The pip of this interpreter, working for one node."""

    def __init__(self, node: str, folder: Path, stop: Stop) -> None:
        self._node = node
        self._folder = folder
        self._stop = stop

    def run(self, *words: str) -> None:
        """Run ``pip install``; raise ``RequirementsError`` with its last lines if it fails."""
        argv = [sys.executable, *_PIP, *words]
        pipe = subprocess.PIPE
        try:
            with (
                subprocess.Popen(argv, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe) as pip,
                self._stop.heard_by(pip.terminate),
            ):
                out, err = pip.communicate()
        except OSError as error:
            raise self._failed(error.strerror or str(error)) from error
        if pip.returncode:
            raise self._failed((err or out).decode("utf-8", "replace"))

    def _failed(self, said: str) -> RequirementsError:
        lines = [line.rstrip() for line in said.splitlines() if line.strip()][-_LAST_LINES:]
        last = next((line for line in reversed(lines) if line.startswith("ERROR: ")), "".join(lines[-1:]))
        return RequirementsError(
            f'the requirements of node "{self._node}" cannot be installed: {last.removeprefix("ERROR: ")}',
            node=self._node,
            traceback_text="\n".join(["pip said last:", *lines]),
            hint="install them yourself, or run without --install-requirements",
        )
