"""The digest of a workflow: what must be the same for a run to be continued.

It covers nodes, edges, kinds, and the code, weights and configurations that workers load. Worker settings are left
out on purpose: who continues a run with smaller batches or more time gets the same answers.
Invariant: nothing is imported or run.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from wfctl.bulk.survey import digest_of_file
from wfctl.plan import ExecutionPlan, NodePlan


def digest_of_workflow(plan: ExecutionPlan, private: Path) -> str:
    """Return the digest of a plan; below the folder ``private`` lie copies of ours, which are looked at whole."""
    digest = hashlib.sha256()
    trees: dict[str, str] = {}
    for node in plan.nodes:
        folder = node.code.model_dir
        if folder not in trees:
            trees[folder] = _tree(Path(folder), is_private=Path(folder).is_relative_to(private))
        for word in (*_words(node), trees[folder]):
            digest.update(f"{word}\0".encode("utf-8", "surrogateescape"))
    return f"sha256:{digest.hexdigest()}"


def _words(node: NodePlan) -> Iterator[str]:
    code = node.code
    yield from (node.name, node.kind.value, ",".join(node.parents), ",".join(node.children))
    yield from (code.handler, code.version, str(code.envelope), str(code.uses_real_ts), str(code.is_trusted))


def _tree(folder: Path, *, is_private: bool) -> str:
    """Digest what is loaded from a folder: all of a copy; of the user's own folder the Python files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if is_private else _python_files(folder)
    digest = hashlib.sha256()
    for path in files:
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name}\0{digest_of_file(path)}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _python_files(folder: Path) -> list[Path]:
    """Return the modules and packages that a handler in ``folder`` can import from there."""
    packages = [path.parent for path in folder.glob("*/__init__.py")]
    return sorted([*folder.glob("*.py"), *(path for package in packages for path in package.rglob("*.py"))])
