"""A page about a code, set in type for a terminal.

Invariant: the only module of the command line that imports rich; it is imported where a page is shown.
"""

from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Markdown, MarkdownElement
from rich.syntax import Syntax


class _Example(CodeBlock):
    """An example without the empty lines that would stand around it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console, options
        yield Syntax(str(self.text).rstrip(), self.lexer_name, theme=self.theme, word_wrap=True, padding=(0, 2))


class _Page(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "fence": _Example,
        "code_block": _Example,
    }


def show_page(text: str, *, is_coloured: bool) -> None:
    """Print Markdown on a terminal."""
    Console(no_color=not is_coloured).print(_Page(text, code_theme="ansi_dark"))
