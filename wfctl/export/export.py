"""From a workflow on this machine, or at a url, to the config that has a cluster serve it: the door of this room.

The workflow is prepared as for a run, so that what would not run is not exported; nothing of it is started, and
nothing is installed. Invariant: no Ray in here; whoever exports need not have it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wfctl.archive.read_sources import is_packed
from wfctl.cluster.refusals import refuse_impossible
from wfctl.diagnostics.report import Report
from wfctl.errors import FetchError, UnsupportedError, UntrustedError
from wfctl.export.serve_config import Site, arguments_of, serve_config
from wfctl.service.options import Options, request_for
from wfctl.service.origins import is_url
from wfctl.service.prepare import Prepared, Request, prepare
from wfctl.store.digest import sha256_of
from wfctl.workflow import NodeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A config, and what is to be said about it."""

    config: dict[str, Any]
    report: Report
    """What the check found short of errors."""
    models_outside: tuple[str, ...] = ()
    """Models that lie beside the workflow, or in a store, and not inside its archive."""

    @property
    def arguments(self) -> dict[str, Any]:
        """What the machines of the cluster are told of the workflow."""
        (application,) = self.config["applications"]
        return dict(application["args"])


def export_workflow(
    path: Path | str,
    options: Options,
    *,
    archive_at: str | None = None,
    site: Site | None = None,
    pip: Sequence[str] = (),
) -> Exported:
    """Return the config for the workflow at ``path``, which the cluster finds at ``archive_at``, else at that path.

    Raises what ``prepare`` raises, and ``UnsupportedError`` for what Ray cannot do.
    """
    request = request_for(path, options)
    # These are matters of the machines that will run it.
    prepared = prepare(replace(request, install_requirements=False, uses_real_ts=False))
    try:
        refuse_impossible(prepared.plan)
        sha256 = _digest(prepared)
        outside = _models_outside(prepared, request)
    finally:
        prepared.remove()
    there = archive_at or (path if isinstance(path, str) else str(path.absolute()))
    if is_url(there):
        _refuse_unreachable(there, request, sha256)
        if outside and request.model_store is None:
            raise UnsupportedError(
                f"the models {', '.join(outside)} are not inside the archive, and nothing lies beside a url",
                hint="put them inside with wfctl archive --embed-models, or name a --model-store of every machine",
            )
    pinned: Options = {**options, "sha256": sha256}
    return Exported(
        config=serve_config(
            prepared.plan, arguments_of(there, prepared.plan.workflow_name, pinned), site=site, pip=pip
        ),
        report=prepared.report,
        models_outside=outside,
    )


def _digest(prepared: Prepared) -> str | None:
    """Return the digest of a packed archive; a spec and a folder have none."""
    path = next(iter(prepared.spec_paths), None)
    return sha256_of(path) if path is not None and is_packed(path) else None


def _models_outside(prepared: Prepared, request: Request) -> tuple[str, ...]:
    """Return the models that were found on this machine, and neither in the archive nor fetched."""
    own = [prepared.workplace.folder]
    if request.terms.policy.cache is not None:
        own.append(request.terms.policy.cache.absolute())
    return tuple(
        node.name
        for node in prepared.plan.nodes
        if node.kind is NodeKind.MODEL
        and not all(
            any(path.absolute().is_relative_to(folder) for folder in own) for path in prepared.made_from[node.name]
        )
    )


def _refuse_unreachable(url: str, request: Request, sha256: str | None) -> None:
    """Raise for a url that the machines would refuse: they are told what this one was told."""
    from wfctl.store.address import parse_address
    from wfctl.store.fetch import refuse_unless_allowed

    address = parse_address(url)
    refuse_unless_allowed(address, request.terms.policy)
    if sha256 is not None and address.pin not in {None, sha256}:
        raise FetchError(
            f'"{address.shown}" is pinned to {address.pin}, and what was exported has {sha256}',
            hint="export the archive that lies there",
        )
    if sha256 is None and address.pin is None and not request.terms.is_trusted:
        raise UntrustedError(
            f'nothing vouches for what is at "{address.shown}": what was exported is no packed archive',
            hint="export the .war that lies there, end the url in #sha256=DIGEST, or say --trust",
        )
