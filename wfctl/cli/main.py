"""The command line: a table of commands, each imported only when it is called.

Invariant: the only place that exits the process. A user's mistake never ends in a traceback.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

import click

from wfctl import __version__
from wfctl.cli.console import OutputError, SystemRefusalError, complain
from wfctl.cli.exits import Exit, exit_for
from wfctl.errors import WfctlError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

PROGRAM = "wfctl"
COMPLETION_VARIABLE = "_WFCTL_COMPLETE"

# Name -> one line of help. The module ``wfctl.cli.<name>`` (hyphens as underscores) holds ``command``. The lines
# stand here so that ``wfctl --help`` imports none of the modules; a test compares them with the commands' own.
COMMANDS: Mapping[str, str] = {
    "run": "Run a workflow on an input and print the answer, or on many inputs.",
    "serve": "Serve workflows over HTTP, to clients of TorchServe and others.",
    "validate": "Check workflows without running anything.",
    "check-compat": "Say what becomes of TorchServe archives here.",
    "render": "Draw the graph of a workflow.",
    "archive": "Pack a workflow into a .war archive.",
    "archive-model": "Pack a model into a .mar archive.",
    "inspect": "Show what is inside a .war or .mar archive.",
    "export": "Write what deploys a workflow elsewhere.",
    "new": "Write a small working workflow to start from.",
    "rule": "Explain a finding's code.",
    "doctor": "Say what this machine has and lacks.",
    "completion": "Print the completion script of a shell.",
}


class CommandTable(click.Group):
    """A group that knows its commands by name and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"wfctl.cli.{cmd_name.replace('-', '_')}")
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.command is no click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a command line; on a miss suggest names from the table."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as miss:
            raise click.NoSuchCommand(args[0], possibilities=list(COMMANDS), ctx=ctx) from miss

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list["CompletionItem"]:
        """Complete a command's name from the table, importing none of the commands."""
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=line) for name, line in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table from its own lines, importing nothing."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=CommandTable,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 fine, 1 findings or a refused archive, 2 usage, 3 a handler failed, 4 system.",
)
@click.version_option(__version__, "-V", "--version", message="wfctl %(version)s")
def root() -> None:
    """Build, check, draw and run model workflows."""


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character of the user's text shows its escape instead of failing.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = _run()
    if code == Exit.INTERRUPTED:
        # All of ours is closed. Python itself may take seconds to end after an import of torch that was cut short.
        for stream in filter(None, (sys.stdout, sys.stderr)):
            with suppress(OSError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _run() -> int:  # noqa: PLR0911 - one row per way a command can end
    try:
        result = root.main(prog_name=PROGRAM, complete_var=COMPLETION_VARIABLE, standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as usage:
        usage.show()
        return usage.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output left (``wfctl ... | head``); nothing more can be said to it.
        sys.stdout = None
        return Exit.OK
    except WfctlError as error:
        if isinstance(error, OutputError):
            # What standard output did not take is not tried again, and complained about, when Python ends.
            sys.stdout = None
        complain(error)
        return exit_for(error)
    except OSError as failure:
        # What nobody below expected of the system: no room for the text of --help, a path that is too long.
        sys.stdout = None
        complain(SystemRefusalError(failure))
        return Exit.SYSTEM
    except Exception:  # noqa: BLE001 - the boundary: whatever else comes here is our own bug
        import traceback

        traceback.print_exc()
        click.echo("error: this is a bug in wfctl; please report it with the lines above", err=True)
        return Exit.BUG
    return result if isinstance(result, int) else Exit.OK
