"""What ``wfctl serve`` is told: its options, the configuration file and the environment, settled into one value.

What is said on the line beats ``WFCTL_...`` variables, these beat ``TS_...`` where the file allows them, and these the
file. Invariant: values only; nothing listens and nothing is loaded here.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wfctl.cli.options import gathered, model_store_option
from wfctl.errors import UnreadableInputError

if TYPE_CHECKING:
    from wfctl.web.config.addresses import Address
    from wfctl.web.config.settings import ServerSettings, Settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What the line says of the server."""

    ts_config: Path | None
    model_store: Path | None
    inference_address: str | None
    management_address: str | None
    metrics_address: str | None
    disable_token_auth: bool | None
    key_file: Path
    certificate_file: Path | None
    private_key_file: Path | None
    names: tuple[str, ...]
    max_connections: int
    drain_timeout: float
    log_format: str
    access_log: Path | None
    state: Path | None
    restore: bool
    reload: bool

    def settled(self) -> "Settled":
        """Return the settings of file, environment and line together, and what is to be said about them."""
        from wfctl.web.config.settings import find_config, read_settings

        path = find_config(os.environ, self.ts_config, Path())
        text = "" if path is None else _text_of(path)
        settled = read_settings(text, name=str(path or ""), environ=os.environ)
        return replace(settled, settings=self._over(settled.settings))

    def _over(self, settings: "ServerSettings") -> "ServerSettings":
        from wfctl.web.config.addresses import Role

        said: dict[str, Any] = {
            "inference_address": _address(self.inference_address, Role.INFERENCE),
            "management_address": _address(self.management_address, Role.MANAGEMENT),
            "metrics_address": _address(self.metrics_address, Role.METRICS),
            "model_store": self.model_store,
            "certificate_file": self.certificate_file,
            "private_key_file": self.private_key_file,
            "disable_token_authorization": self.disable_token_auth,
        }
        return replace(settings, **{name: value for name, value in said.items() if value is not None})


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UnreadableInputError(f'the configuration "{path}" cannot be read: {reason}') from error
    except UnicodeDecodeError:
        return path.read_text(encoding="latin-1")  # as Java writes such files


def _address(text: str | None, role: Any) -> "Address | None":
    from wfctl.web.config.addresses import AddressError, parse_address

    if text is None:
        return None
    try:
        return parse_address(text, role)
    except AddressError as why:
        raise click.BadParameter(f'"{text}": {why}', param_hint=f"--{role.value}-address") from None


def _read_names(context: click.Context, option: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse what no client can call a server by."""
    del context, option
    if names:
        from wfctl.check.host import HostError, read_host

        for name in names:
            try:
                read_host(name)
            except HostError as why:
                raise click.BadParameter(f'"{name}": {why}') from None
    return names


def _address_option(role: str, usual: int) -> Callable[[Any], Any]:
    return click.option(
        f"--{role}-address",
        metavar="ADDRESS",
        help=f"http://HOST:PORT, https://HOST:PORT or unix:/PATH, by default http://127.0.0.1:{usual}; "
        "port 0 is one that is free.",
    )


_FILE = click.Path(path_type=Path)

serve_options = gathered(
    "serving",
    Serving,
    click.option(
        "--ts-config", type=_FILE, metavar="FILE", help="A config.properties; without it that of this folder."
    ),
    model_store_option,
    _address_option("inference", 8080),
    _address_option("management", 8081),
    _address_option("metrics", 8082),
    click.option(
        "--disable-token-auth/--token-auth",
        "disable_token_auth",
        default=None,
        help="Serve whoever gets to an address, or only who has a key; usually keys are asked for where others than "
        "this machine get to.",
    ),
    click.option(
        "--key-file", type=_FILE, default=Path("key_file.json"), show_default=True, help="Where the keys are written."
    ),
    click.option("--certificate-file", type=_FILE, metavar="PEM", help="For https: the chain."),
    click.option("--private-key-file", type=_FILE, metavar="PEM", help="For https: the key."),
    click.option(
        "--name",
        "names",
        multiple=True,
        metavar="HOST",
        callback=_read_names,
        help="A further name that clients call it by; repeatable.",
    ),
    click.option(
        "--max-connections", type=click.IntRange(min=1), default=4096, show_default=True, help="Clients at a time."
    ),
    click.option(
        "--drain-timeout",
        type=click.FloatRange(min=0),
        default=30.0,
        metavar="SECONDS",
        show_default=True,
        help="For the answers to what had come before it is ended.",
    ),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Of what is said on standard error: for people, or an object a line for programs.",
    ),
    click.option(
        "--access-log", type=_FILE, metavar="FILE", help="Write a line for each request to FILE; - is standard error."
    ),
    click.option(
        "--state", type=_FILE, metavar="FILE", help="Write what is served to FILE after each change, for --restore."
    ),
    click.option("--restore", is_flag=True, help="Begin with what the file of --state says, if it is there."),
    click.option("--reload", is_flag=True, help="For development: load again what changes on disk."),
)
"""Adds what ``wfctl serve`` must be told; it gets all of it as ``serving``."""
