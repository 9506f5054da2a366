"""``wfctl completion``: the script that teaches a shell to complete our command lines."""

import click
from click.shell_completion import get_completion_class

from wfctl.cli.console import answer

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    short_help="Print the completion script of a shell.",
    epilog='bash and zsh: add eval "$(wfctl completion bash)" to ~/.bashrc (zsh: ~/.zshrc). '
    "fish: wfctl completion fish > ~/.config/fish/completions/wfctl.fish",
)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def command(ctx: click.Context, *, shell: str) -> None:
    """Print the completion script of a shell.

    It completes commands, options and their choices, workflow files, nodes and rule codes.
    """
    from wfctl.cli.main import COMPLETION_VARIABLE, PROGRAM

    kind = get_completion_class(shell)
    if kind is None:
        raise TypeError(f"click has no completion for {shell}")
    answer(kind(ctx.find_root().command, {}, PROGRAM, COMPLETION_VARIABLE).source())
