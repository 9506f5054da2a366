"""``wfctl validate``: say what is wrong with workflows, and mend what can be mended safely.

Invariant: no code of the user is imported, no network is touched; findings go to standard output, talk to standard
error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from wfctl.cli.checkup import Change, Examination, examine
from wfctl.cli.console import answer, complain, say, say_styled, terminal_width
from wfctl.cli.discover import HANDLER_RULE
from wfctl.cli.exits import Exit, exit_for
from wfctl.cli.fix import rewrite, unified_diff
from wfctl.cli.options import (
    complete_rules,
    complete_workflows,
    environment_store,
    is_github_actions,
    workflow_store_option,
)
from wfctl.cli.printable import printable
from wfctl.cli.reporters.interface import Verdict
from wfctl.cli.reporters.summary import closing
from wfctl.cli.reporters.table import REPORTERS, reporter_for
from wfctl.cli.selection import parse_selection
from wfctl.cli.stdin import STDIN
from wfctl.diagnostics.model import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wishes:
    """What was asked for, beside how to check."""

    form: str
    is_always_fine: bool
    writes_fixes: bool
    prints_patch: bool


@click.command(
    short_help="Check workflows without running anything.",
    epilog=f"The handler of a spec is {HANDLER_RULE}.",
)
@click.argument(
    "paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path), shell_complete=complete_workflows
)
@click.option("--handler", type=click.Path(path_type=Path), help="The handler file, where it is not beside the spec.")
@click.option(
    "--model-store",
    type=click.Path(path_type=Path),
    help="A further folder to look for models in, before the one that WFCTL_MODEL_STORE names.",
)
@workflow_store_option
@click.option(
    "--output-format",
    "form",
    type=click.Choice(list(REPORTERS)),
    help="Form of the findings.  [default: full; github in GitHub Actions]",
)
@click.option(
    "--select",
    multiple=True,
    metavar="CODES",
    shell_complete=complete_rules,
    help="Report only these codes or beginnings of codes (WF3), with commas between.",
)
@click.option(
    "--ignore", multiple=True, metavar="CODES", shell_complete=complete_rules, help="Do not report these codes."
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever is found.")
@click.option("--fix", "writes_fixes", is_flag=True, help="Make the safe edits, and report what is left.")
@click.option("--diff", "prints_patch", is_flag=True, help="Print the safe edits as a patch and write nothing.")
@click.option("--compat", is_flag=True, help="Warn where TorchServe tolerates what is an error here.")
def command(
    *,
    paths: tuple[Path, ...],
    handler: Path | None,
    model_store: Path | None,
    workflow_store: Path | None,
    form: str | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    exit_zero: bool,
    writes_fixes: bool,
    prints_patch: bool,
    compat: bool,
) -> int:
    """Check workflows without running anything.

    PATH is a spec, a .war, a folder, or - for a spec on standard input; without one, the workflow of the current
    folder. Exits with 1 if there are errors or warnings.
    """
    how = Examination(
        selection=parse_selection(select, ignore),
        handler=handler,
        model_store=model_store,
        workflow_store=workflow_store,
        environment_store=environment_store(),
        is_compat=compat,
        is_mending=writes_fixes or prints_patch,
    )
    wishes = _Wishes(
        form=form or ("github" if is_github_actions() else "full"),
        is_always_fine=exit_zero,
        writes_fixes=writes_fixes and not prints_patch,
        prints_patch=prints_patch,
    )
    if how.is_mending:
        _refuse_what_cannot_be_mended(paths)
    return _validate(paths or (None,), how, wishes)


def _refuse_what_cannot_be_mended(paths: Sequence[Path]) -> None:
    for path in paths:
        if path == STDIN:
            raise click.UsageError("standard input cannot be mended: give --fix and --diff a file")
        if path.suffix == ".war":
            raise click.UsageError(f'"{path}" is an archive and is not mended: mend its spec, and archive it again')


def _validate(paths: Sequence[Path | None], how: Examination, wishes: _Wishes) -> int:
    examined = [examine(path, how) for path in paths]
    verdicts = [each.verdict for each in examined]
    changes = [change for each in examined for change in each.changes]
    if wishes.prints_patch:
        _print_patch(changes)
    else:
        if wishes.writes_fixes:
            _write(changes)
        answer(reporter_for(wishes.form, width=terminal_width()).render(verdicts), newline=False)
    _talk(verdicts, wishes)
    if wishes.prints_patch and changes and not wishes.is_always_fine:
        return Exit.FINDINGS
    return _exit(verdicts, is_always_fine=wishes.is_always_fine)


def _write(changes: Sequence[Change]) -> None:
    for change in changes:
        rewrite(change.path, old=change.old, new=change.new)
        say(f"mended {change.path}")


def _print_patch(changes: Sequence[Change]) -> None:
    text = "".join(unified_diff(change.old, change.new) for change in changes)
    # A patch for another program must be exact; one for a terminal must not reprogram it.
    answer(printable(text) if terminal_width() else text, newline=False)


def _talk(verdicts: Sequence[Verdict], wishes: _Wishes) -> None:
    for verdict in verdicts:
        if verdict.error:
            complain(verdict.error)
        elif _is_sound(verdict):
            say_styled(f"{printable(verdict.path, keep='')}: {click.style('ok', fg='green', bold=True)}")
    say(closing(verdicts))
    first = next((found for verdict in verdicts for found in verdict.report), None)
    if first and wishes.form == "full" and not wishes.prints_patch:
        say(f"wfctl rule {first.code} tells more about a code")


def _is_sound(verdict: Verdict) -> bool:
    return verdict.error is None and (verdict.report.worst or Severity.NOTE) is Severity.NOTE


def _exit(verdicts: Sequence[Verdict], *, is_always_fine: bool) -> int:
    unread = [exit_for(verdict.error) for verdict in verdicts if verdict.error]
    if unread:
        return max(unread)
    return Exit.OK if is_always_fine or all(map(_is_sound, verdicts)) else Exit.FINDINGS
