"""Options by their beginnings, as the archivers of the original take them: ``--extra-file`` for ``--extra-files``.

Invariant: a beginning that fits two options means neither; whatever is an option's whole name means that option.
"""

import click


class AbbreviatedCommand(click.Command):
    """A command whose long options may be cut short."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Write every abbreviated option out and parse as usual."""
        names = [name for parameter in self.get_params(ctx) for name in parameter.opts if name.startswith("--")]
        return super().parse_args(ctx, _written_out(args, names))


def _written_out(words: list[str], names: list[str]) -> list[str]:
    end = words.index("--") if "--" in words else len(words)
    return [*(_whole(word, names) for word in words[:end]), *words[end:]]


def _whole(word: str, names: list[str]) -> str:
    beginning, equals, value = word.partition("=")
    if not beginning.startswith("--") or beginning in names:
        return word
    meant = [name for name in names if name.startswith(beginning)]
    if len(meant) > 1:
        raise click.UsageError(f'"{beginning}" may mean {" or ".join(sorted(meant))}')
    return f"{meant[0]}{equals}{value}" if meant else word
