"""Options of the commands that run workflows: where their nodes run."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from wfctl.cli.options import gathered

if TYPE_CHECKING:
    from wfctl.engine.running import Engines


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """Where nodes are to run."""

    engine: str
    ray_address: str | None

    def engines(self, *, inline: bool = False) -> "Engines":
        """Return the way of hosting that was asked for; raises ``UsageError`` for contradictions."""
        from wfctl.service.engine_kinds import engines_named

        if self.ray_address is not None and self.engine != "ray":
            raise click.UsageError("--ray-address is for --engine ray")
        if inline and self.engine == "ray":
            raise click.UsageError("--inline runs every node in this process, and --engine ray on Ray: choose one")
        return engines_named(self.engine, inline=inline, ray_address=self.ray_address)

    def refuse_on_ray(self, option: str, reason: str) -> None:
        """Raise ``UsageError`` for an option that means nothing there."""
        if self.is_ray:
            raise click.UsageError(f"{option} cannot be had with --engine ray: {reason}")

    @property
    def is_ray(self) -> bool:
        """Whether nodes run on Ray."""
        return self.engine == "ray"


engine_options = gathered(
    "engine",
    EngineChoice,
    click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        envvar="WFCTL_ENGINE",
        help="Where nodes run: in worker processes of this machine, or as replicas on Ray.",
    ),
    click.option(
        "--ray-address",
        metavar="ADDRESS",
        envvar="WFCTL_RAY_ADDRESS",
        help='Join this Ray cluster ("auto", HOST:PORT) instead of starting a Ray here.',
    ),
)
"""Adds where nodes run; the command gets it as ``engine``."""
