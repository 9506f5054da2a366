"""The forms a drawing can take: name -> painter, ending of a file -> name.

Invariant: the only table of them; a painter is imported when it is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

from wfctl.render.model import Drawing


class Form(StrEnum):
    """Names of the forms."""

    TERMINAL = "terminal"
    SVG = "svg"
    MERMAID = "mermaid"
    DOT = "dot"
    JSON = "json"
    MARKDOWN = "markdown"


ENDINGS: Mapping[str, Form] = {
    ".txt": Form.TERMINAL,
    ".svg": Form.SVG,
    ".mmd": Form.MERMAID,
    ".mermaid": Form.MERMAID,
    ".md": Form.MARKDOWN,
    ".dot": Form.DOT,
    ".gv": Form.DOT,
    ".json": Form.JSON,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What the picture goes on."""

    direction: str = "TB"
    """``TB`` from top to bottom, ``LR`` from left to right."""
    width: int = 100
    """Columns of a terminal."""
    is_ascii: bool = False
    is_coloured: bool = False


def form_for(path: PurePath) -> Form | None:
    """Return the form that the ending of ``path`` means, ``None`` for one that means nothing here."""
    return ENDINGS.get(path.suffix.lower())


def render(drawing: Drawing, form: Form, paper: Paper | None = None) -> str:
    """Return ``drawing`` in one of the forms, as text that ends in a line end."""
    paper = paper or Paper()
    match form:
        case Form.TERMINAL:
            from wfctl.render.terminal import render_terminal

            return render_terminal(
                drawing,
                width=paper.width,
                direction=paper.direction,
                is_ascii=paper.is_ascii,
                is_coloured=paper.is_coloured,
            )
        case Form.SVG:
            from wfctl.render.svg import render_svg

            return render_svg(drawing, direction=paper.direction)
        case Form.MERMAID:
            from wfctl.render.mermaid import render_mermaid

            return render_mermaid(drawing, direction=paper.direction)
        case Form.MARKDOWN:
            from wfctl.render.mermaid import render_markdown

            return render_markdown(drawing, direction=paper.direction)
        case Form.DOT:
            from wfctl.render.dot import render_dot

            return render_dot(drawing, direction=paper.direction)
        case Form.JSON:
            from wfctl.render.json_form import render_json

            return render_json(drawing, direction=paper.direction)
