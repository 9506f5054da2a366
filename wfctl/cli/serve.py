"""``wfctl serve``: workflows over HTTP."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
from click.core import ParameterSource

from wfctl.cli.console import say
from wfctl.cli.discover import find_workflow
from wfctl.cli.engine_choice import EngineChoice, engine_options
from wfctl.cli.exits import Exit
from wfctl.cli.fetching import Fetching, fetch_options
from wfctl.cli.loading import Loading, loading_options
from wfctl.cli.notice import Notice
from wfctl.cli.options import complete_workflows
from wfctl.cli.serve_options import Serving, serve_options

if TYPE_CHECKING:
    from wfctl.service.options import Options
    from wfctl.service.snapshot import Restored
    from wfctl.service.wishes import WishMaker
    from wfctl.web.config.settings import ServerSettings, Settled

_HELP = """Serve workflows over HTTP, to clients of TorchServe and others.

WORKFLOW is a .war, a spec, a folder or a url; without one it is the workflow of this folder, and with a
--workflow-store or a --model-store alone none: clients register them.

\b
  POST /wfpredict/NAME           run a workflow         (inference, 8080)
  POST /predictions/NAME__NODE   run one node of it     (inference, 8080)
  GET  /workflows                what there is          (management, 8081)
  GET  /metrics                  how it goes            (metrics, 8082)
"""


@click.command(
    help=_HELP,
    epilog="Exit codes: 0 ended when it was told to, 1 not a sound workflow, 2 usage, 3 did not load, 4 system.",
)
@click.argument("workflows", metavar="[WORKFLOW]...", nargs=-1, shell_complete=complete_workflows)
@serve_options
@engine_options
@fetch_options
@loading_options
def command(
    *, workflows: tuple[str, ...], serving: Serving, engine: EngineChoice, fetching: Fetching, loading: Loading
) -> int:
    """Serve until it is told to end."""
    from wfctl.cli.serve_run import run
    from wfctl.service.own_process import only_handing_on
    from wfctl.service.snapshot import Restored

    if serving.reload:
        engine.refuse_on_ray("--reload", "of new code that does not load Ray Serve would be left without the old")
    settled = serving.settled()
    _tell_notes(settled)
    wishes = _wish_maker(settled.settings, fetching, loading)
    restored = _restored(serving, wishes)
    if restored is None or workflows:
        paths = _paths(workflows, settled.settings, fetching)
        there = {each.wish.request.path for each in restored or ()}
        named = [
            wishes.from_user(each)
            for each in paths
            if (each if isinstance(each, str) else each.absolute()) not in there
        ]
        restored = [*(restored or ()), *(Restored(wish=wish) for wish in named)]
    with only_handing_on():
        run(settled.settings, serving, wishes, restored, engine.engines())
    return Exit.OK


def _restored(serving: Serving, wishes: "WishMaker") -> "list[Restored] | None":
    """Return what the last server served, ``None`` if that is not asked for or there was none."""
    from wfctl.service.snapshot import read_snapshot

    if not serving.restore:
        return None
    if serving.state is None:
        raise click.UsageError("--restore reads the file of --state, and none is named")
    if not serving.state.exists():
        say(f'"{serving.state}" is not there: nothing is restored')
        return None
    return read_snapshot(serving.state, wishes)


def _paths(workflows: tuple[str, ...], settings: "ServerSettings", fetching: Fetching) -> list[Path | str]:
    from wfctl.service.origins import is_url

    store = fetching.workflow_store or settings.workflow_folder
    if workflows:
        return [each if is_url(each) else find_workflow(Path(each), store) for each in workflows]
    if fetching.workflow_store is not None:
        return []
    try:
        return [find_workflow(None)]
    except click.UsageError:
        if store is None:
            raise
        return []  # clients register what is in the store


def _wish_maker(settings: "ServerSettings", fetching: Fetching, loading: Loading) -> "WishMaker":
    from wfctl.service.options import request_for
    from wfctl.service.wishes import WishMaker

    told = fetching.arguments(Notice("", sys.stderr))
    asked = loading.arguments()
    options = cast(
        "Options",
        {
            **told,
            **asked,
            "workflow_store": fetching.workflow_store or settings.workflow_folder,
            "model_store": settings.model_store,
            "allowed_urls": (*told["allowed_urls"], *settings.allowed_urls),
            "install_requirements": asked["install_requirements"] or settings.install_py_dep_per_model,
            "service_envelope": asked["service_envelope"] or settings.service_envelope,
            "startup_timeout_s": _startup_timeout_s(settings, loading),
            "limit_max_image_pixels": settings.limit_max_image_pixels,
        },
    )
    response = settings.default_response_timeout
    pattern = replace(
        request_for(Path(), options),
        response_timeout_s=None if response is None else float(response),
        queue_size=settings.job_queue_size,
        hidden_variables=settings.blacklist_env_vars,
    )
    return WishMaker(pattern=pattern)


def _startup_timeout_s(settings: "ServerSettings", loading: Loading) -> float:
    """Return what the line says, else the settings, else what is usual."""
    source = click.get_current_context().get_parameter_source("startup_timeout_s")
    usual = settings.default_startup_timeout
    return loading.startup_timeout_s if usual is None or source is not ParameterSource.DEFAULT else float(usual)


def _tell_notes(settled: "Settled") -> None:
    for note in settled.notes:
        where = note.variable or f"line {note.line}"
        say(f"config: {where}: {note.key}: {note.sentence}")
