"""How the SVG looks in the light and in the dark; nothing is told by colour alone.

Invariant: text without input; every colour stands twice, once for each scheme.
"""

NAME_SIZE, DETAIL_SIZE = 14, 11.5
NAME_COLUMN, DETAIL_COLUMN = 8.7, 7.2
"""Width of one column of text, a little more than the widest of the fonts asked for."""

_COLOURS = {
    # class: light, dark
    "paper": ("fill:#ffffff", "fill:#12161b"),
    "edge": ("stroke:#6b7785", "stroke:#8b98a6"),
    "head": ("fill:#6b7785", "fill:#8b98a6"),
    "name": ("fill:#17202a", "fill:#edf1f5"),
    "detail": ("fill:#52606d", "fill:#a3b0bd"),
    "model .frame": ("fill:#eaf2fc;stroke:#2b6cb0", "fill:#142a42;stroke:#63a4e8"),
    "model .stripe": ("fill:#2b6cb0", "fill:#63a4e8"),
    "function .frame": ("fill:#f6f3ea;stroke:#8c7a4b", "fill:#26221a;stroke:#c2ab6d"),
    "unknown .frame": ("fill:#f4f5f7;stroke:#6b7785", "fill:#1d232a;stroke:#8b98a6"),
    "fault .frame": ("fill:#fdeeee;stroke:#c22f2f", "fill:#3a1a1c;stroke:#ff8078"),
    "fault .stripe": ("fill:#c22f2f", "fill:#ff8078"),
    "fault .edge": ("stroke:#c22f2f", "stroke:#ff8078"),
    "fault .head": ("fill:#c22f2f", "fill:#ff8078"),
    "fault .reason": ("fill:#a32020", "fill:#ff9d96"),
    "badge": ("fill:#c22f2f", "fill:#ff8078"),
    "sign": ("fill:#ffffff", "fill:#12161b"),
}

_FORMS = (
    'text{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;text-anchor:middle}',
    f".name{{font-size:{NAME_SIZE}px;font-weight:600}}",
    f".detail,.reason{{font-size:{DETAIL_SIZE}px}}",
    ".plain{font-size:13px;text-anchor:start;white-space:pre}",
    ".sign{font-size:12px;font-weight:700}",
    ".frame{stroke-width:1.5}",
    ".edge{fill:none;stroke-width:1.5}",
    ".unknown .frame{stroke-dasharray:5 4}",
    ".fault .edge,.fault .frame{stroke-dasharray:6 4}",
    ".fault .frame,.fault .edge{stroke-width:2}",
)


def stylesheet() -> str:
    """Return the style sheet."""
    light = "".join(f".{name}{{{colours[0]}}}" for name, colours in _COLOURS.items())
    dark = "".join(f".{name}{{{colours[1]}}}" for name, colours in _COLOURS.items())
    return "".join(_FORMS) + light + "@media (prefers-color-scheme:dark){" + dark + "}"
