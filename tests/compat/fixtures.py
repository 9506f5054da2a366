"""The handlers below ``handlers/``: what is in a fixture, and how it becomes an archive.

A fixture is a folder: ``handler.py`` as a TorchServe user writes it, other files that go into the archive, and

- ``fixture.json``: ``about``; what differs from a plain manifest (``model``: keys of its model section, ``manifest``:
  the whole of it, ``null`` for none); ``function``: the fixture is a function node of that name, and no model;
  ``envelope``; ``batches``: lists of requests; ``differs``: why our answers are not those of the original;
- ``build.py``: ``build(folder)`` writes weights;
- ``expected.json``: what the real TorchServe answers, written by ``pytest tests/extra/test_real_torchserve.py
  --update``, never by hand;
- ``ours.json``: what we answer, where that differs (``pytest tests/compat --update`` writes it).
"""

import json
import shutil
import zipfile
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

HANDLERS = Path(__file__).parent / "handlers"
_NOT_PACKED = {"fixture.json", "expected.json", "ours.json", "build.py"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    folder: Path
    told: dict[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def function(self) -> str | None:
        return self.told.get("function")

    @property
    def node(self) -> str:
        return self.function or "model"

    @property
    def differs(self) -> str | None:
        return self.told.get("differs")

    @property
    def manifest(self) -> dict[str, Any] | None:
        if self.function:
            return None
        if "manifest" in self.told:
            return self.told["manifest"]
        model = {"modelName": self.name, "modelVersion": "1.0", "handler": "handler.py"} | self.told.get("model", {})
        return {"createdOn": "01/01/1980 00:00:00", "runtime": "python", "model": model, "archiverVersion": "0.12.0"}

    @property
    def handler(self) -> str:
        """What the original is told to load."""
        if self.function:
            return f"handler.py:{self.function}"
        return "handler.py" if self.manifest is None else str(self.manifest["model"]["handler"])

    def stored(self, name: str) -> Any:
        path = self.folder / name
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    @property
    def expected(self) -> Any:
        """What the real TorchServe answers."""
        return self.stored("expected.json")

    @property
    def ours(self) -> Any:
        """What we answer."""
        return self.stored("ours.json") if self.differs else self.expected


def all_fixtures() -> list[Fixture]:
    return [
        Fixture(folder=path.parent, told=json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(HANDLERS.glob("*/fixture.json"))
    ]


def fixture(name: str) -> Fixture:
    return next(each for each in all_fixtures() if each.name == name)


def gather(fixture: Fixture, into: Path) -> Path:
    """Copy what goes into the archive, weights made where they are."""
    into.mkdir(parents=True)
    for path in sorted(fixture.folder.rglob("*")):
        relative = path.relative_to(fixture.folder)
        if path.is_file() and relative.as_posix() not in _NOT_PACKED and "__pycache__" not in relative.parts:
            target = into / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    build = fixture.folder / "build.py"
    if build.is_file():
        spec = spec_from_file_location(f"build_{fixture.name}", build)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        module.build(into)
    return into


def workflow_of(fixture: Fixture, into: Path) -> Path:
    """Write the workflow of this one node, its archive beside it, and return the spec."""
    into.mkdir(parents=True)
    spec = into / "workflow.yaml"
    if fixture.function:
        shutil.rmtree(into)
        gather(fixture, into)
        spec.write_text(f"models: {{}}\ndag:\n  {fixture.function}: []\n", encoding="utf-8")
        return spec
    pack(fixture, into / f"{fixture.name}.mar", staging=into / "files")
    spec.write_text(
        # Batches as the original's: then all that differs is the handler's doing.
        f"models:\n  batch-size: 4\n  model: {{url: {fixture.name}.mar}}\ndag:\n  model: []\nwfctl: {{batching: fixed}}\n",
        encoding="utf-8",
    )
    return spec


def pack(fixture: Fixture, target: Path, *, staging: Path) -> Path:
    """Write the fixture's ``.mar``."""
    gather(fixture, staging)
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(staging.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(staging).as_posix())
        if fixture.manifest is not None:
            archive.writestr("MAR-INF/MANIFEST.json", json.dumps(fixture.manifest, indent=2))
    shutil.rmtree(staging)
    return target
