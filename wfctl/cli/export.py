"""``wfctl export``: what deploys a workflow elsewhere.

Invariant: nothing of the user's is imported or run, and Ray is not needed; the text goes to standard output or a
file, talk to standard error.
"""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import click

from wfctl.cli.console import answer, say
from wfctl.cli.discover import find_workflow
from wfctl.cli.exits import Exit
from wfctl.cli.fetching import Fetching, fetch_options
from wfctl.cli.loading import Loading, loading_options
from wfctl.cli.notice import Notice, shown_if_slow
from wfctl.cli.options import complete_nodes, complete_workflows, gathered, model_store_option
from wfctl.errors import UnsupportedError

if TYPE_CHECKING:
    from wfctl.export.export import Exported
    from wfctl.export.serve_config import Site
    from wfctl.service.options import Options

_STDOUT: Final = Path("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wishes:
    """What is to be written, and where."""

    output: Path | None
    overwrites: bool
    kuberay: bool
    image: str | None
    archive_at: str | None
    pip: tuple[str, ...]
    host: str
    port: int
    route_prefix: str

    @property
    def is_to_stdout(self) -> bool:
        """Whether no file is written."""
        return self.output is None or self.output == _STDOUT

    @property
    def site(self) -> "Site":
        """Where clients will find the workflow."""
        from wfctl.export.serve_config import Site

        return Site(host=self.host, port=self.port, route_prefix=self.route_prefix)


def _archive_at(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse a path that means another place on each machine."""
    del ctx, param
    if value is not None:
        from wfctl.service.origins import is_url

        if not (is_url(value) or Path(value).is_absolute()):
            raise click.BadParameter("it is neither a url nor an absolute path, so every machine would look elsewhere")
    return value


def _route_prefix(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Refuse what Serve refuses, and only when it is deployed."""
    del ctx, param
    if not value.startswith("/"):
        raise click.BadParameter('it must begin with "/"')
    if value != "/" and value.endswith("/"):
        raise click.BadParameter('it may not end with "/"')
    if "{" in value or "}" in value:
        raise click.BadParameter('it may have neither "{" nor "}"')
    return value


def _filled(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Refuse a word of nothing."""
    del ctx, param
    words = value if isinstance(value, tuple) else (value,)
    if any(word is not None and not word.strip() for word in words):
        raise click.BadParameter("it says nothing")
    return value


_wish_options = gathered(
    "wishes",
    _Wishes,
    click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Where to write it.  [default: standard output]",
    ),
    click.option("-f", "--overwrite", "overwrites", is_flag=True, help="Overwrite FILE if it is there."),
    click.option("--kuberay", is_flag=True, help="A RayService for KubeRay, with a cluster that is large enough."),
    click.option(
        "--image",
        metavar="IMAGE",
        callback=_filled,
        help="For --kuberay: what its machines run; with wfctl, and what handlers import.  [default: Ray's own]",
    ),
    click.option(
        "--archive-at",
        metavar="PATH|URL",
        callback=_archive_at,
        help="Where the machines of the cluster find the workflow.  [default: where it is here]",
    ),
    click.option(
        "--pip",
        multiple=True,
        metavar="REQUIREMENT",
        callback=_filled,
        help="Have the machines install this first; repeatable.",
    ),
    click.option(
        "--host",
        default="0.0.0.0",  # noqa: S104 - clients are on other machines
        metavar="ADDRESS",
        show_default=True,
        callback=_filled,
        help="Where the machines listen.",
    ),
    click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="And at which port."),
    click.option(
        "--route-prefix",
        default="/",
        metavar="PATH",
        show_default=True,
        callback=_route_prefix,
        help="What comes before the paths of the workflow.",
    ),
)


@click.group(short_help="Write what deploys a workflow elsewhere.")
def command() -> None:
    """Write what deploys a workflow elsewhere."""


@command.command(
    "ray",
    short_help="A config file for Ray Serve, or a manifest for KubeRay.",
    epilog="serve deploy FILE (kubectl apply -f FILE) deploys it; POST /wfpredict/NAME runs it there.",
)
@click.argument("workflow", required=False, metavar="[WORKFLOW]", shell_complete=complete_workflows)
@_wish_options
@click.option("--handler", type=click.Path(path_type=Path), help="The handler, where it is not beside the spec.")
@model_store_option
@click.option(
    "--until",
    metavar="NODE",
    shell_complete=complete_nodes,
    help="Answer with the output of this node; what comes after it is not loaded.",
)
@fetch_options
@loading_options
def ray(
    *,
    workflow: str | None,
    wishes: _Wishes,
    handler: Path | None,
    model_store: Path | None,
    until: str | None,
    fetching: Fetching,
    loading: Loading,
) -> int:
    """Write a config file that has a Ray cluster serve a workflow, or a manifest for KubeRay.

    WORKFLOW is a .war, a spec, a folder or a url; without one it is the workflow of this folder. Each of its nodes is
    a deployment, whose replicas, autoscaling and resources can be changed in the file. The paths named here have to
    hold on every machine of the cluster, and a packed archive has to be this very one.
    """
    if wishes.image is not None and not wishes.kuberay:
        raise click.UsageError("--image is for --kuberay")
    _refuse_taken(wishes)
    notice = Notice("loading ...", sys.stderr)
    told = {"handler": handler, "model_store": model_store, "until": until}
    options = cast("Options", {**told, **loading.arguments(), **fetching.arguments(notice)})
    with shown_if_slow(notice):
        exported = _exported(workflow, options, wishes)
    _tell_report(exported)
    _write(exported, wishes)
    return Exit.OK


def _exported(workflow: str | None, options: "Options", wishes: _Wishes) -> "Exported":
    from wfctl.export.export import export_workflow

    path = _path(workflow, cast("Path | None", options.get("workflow_store")))
    return export_workflow(path, options, archive_at=wishes.archive_at, site=wishes.site, pip=wishes.pip)


def _path(workflow: str | None, store: Path | None) -> Path | str:
    """Return the workflow, a folder as it was named: every machine finds the spec in it as this one does."""
    from wfctl.service.origins import is_url

    if workflow is not None and is_url(workflow):
        return workflow
    named = None if workflow is None else Path(workflow)
    found = find_workflow(named, store)
    folder = named or Path()
    return folder if found.parent == folder else found


def _refuse_taken(wishes: _Wishes) -> None:
    """Refuse to overwrite, before anything is read."""
    # Not Path.is_file, which raises for a name that is too long for the disk; a pipe or a device is written to.
    if not (wishes.is_to_stdout or wishes.overwrites) and os.path.isfile(cast("Path", wishes.output)):  # noqa: PTH113
        raise UnsupportedError(f'"{wishes.output}" already exists', hint="overwrite it with --overwrite/-f")


def _write(exported: "Exported", wishes: _Wishes) -> None:
    from wfctl.export.yaml_text import yaml_text
    from wfctl.replace_file import replace_file

    image = _image(wishes)
    text = yaml_text(exported.config if image is None else _manifest(exported.config, image))
    if wishes.is_to_stdout:
        answer(text, newline=False)
    else:
        replace_file(cast("Path", wishes.output), text.encode())
        say(f"wrote {wishes.output}")
    _tell_models(exported)
    if image is not None:
        _tell_pods(exported, wishes, image)
    if not wishes.is_to_stdout:
        deploy = "serve deploy" if image is None else "kubectl apply -f"
        say(f"next: {deploy} {shlex.quote(str(wishes.output))}")


def _image(wishes: _Wishes) -> str | None:
    """Return what pods run; nothing runs in pods without --kuberay."""
    from wfctl.export.kuberay import default_image

    return (wishes.image or default_image(sys.version_info[:2])) if wishes.kuberay else None


def _manifest(config: Mapping[str, Any], image: str) -> dict[str, Any]:
    from wfctl.export.kuberay import ray_service

    return ray_service(config, image=image)


def _tell_report(exported: "Exported") -> None:
    from wfctl.diagnostics.catalog import RULES

    for found in exported.report:
        if RULES[found.code].at_run:
            say(f"{found.severity.word}: {found.message} [{found.code}]")


def _tell_models(exported: "Exported") -> None:
    """Say which models the machines have to find by themselves, unless a store was named to find them in."""
    if exported.models_outside and "model_store" not in exported.arguments:
        say(
            f"note: not inside an archive: {', '.join(exported.models_outside)}; every machine must find them beside "
            "the workflow, or inside it: wfctl archive --embed-models"
        )


def _tell_pods(exported: "Exported", wishes: _Wishes, image: str) -> None:
    """Say what pods will lack that machines of one's own may have."""
    from wfctl.service.origins import is_url

    if wishes.image is None and not wishes.pip:
        say(f"note: {image} holds neither wfctl nor torch: name another with --image, or install them with --pip")
    workflow = exported.arguments["workflow"]
    if wishes.archive_at is None and not is_url(workflow):
        say(f'note: every pod must have "{workflow}"; --archive-at names a place that all of them have, or a url')
