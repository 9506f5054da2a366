"""What the command line says of how archives are loaded: options of every command that starts workers.

Invariant: values only; nothing is loaded here.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import click

from wfctl.cli.options import gathered


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """What a command was told of loading; the names are those of ``open_deployment``."""

    ts: Literal["own", "real"]
    startup_timeout_s: float
    install_requirements: bool
    service_envelope: str | None

    def arguments(self) -> dict[str, Any]:
        """Return it for ``open_deployment``."""
        return asdict(self)


loading_options = gathered(
    "loading",
    Loading,
    click.option(
        "--ts",
        type=click.Choice(["own", "real"]),
        default="own",
        show_default=True,
        help="What handlers find when they import ts: wfctl's own modules, or an installed TorchServe.",
    ),
    click.option(
        "--startup-timeout",
        "startup_timeout_s",
        type=click.FloatRange(min=0.1),
        default=120.0,
        metavar="SECONDS",
        show_default=True,
        help="For loading a worker.",
    ),
    click.option(
        "--install-requirements",
        is_flag=True,
        help="Install what models require and is not here, for this run and each model alone.",
    ),
    click.option(
        "--service-envelope",
        metavar="NAME",
        help="Put an envelope around every model: body, json, kserve, kservev2, or a module of the archive.",
    ),
)
"""Adds what a command that loads archives must be told; it gets all of it as ``loading``."""
