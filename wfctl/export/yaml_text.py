"""Mappings as YAML text, in their own order, without anchors and tags.

The text is read by more than one reader: Ray's is PyYAML, by YAML 1.1, and KubeRay's is Go's, which sees numbers and
truth values where PyYAML sees text (``1e3``, ``0o17``, ``y``). What one of them may take for something else is quoted.
Invariant: the same mapping gives the same text, and the text gives that mapping again.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

import yaml

_ENDLESS: Final = 2**31
"""Columns: a line that goes on in another is hard to edit, and keeps the text from standing as a block in another."""
_LOOKS_LIKE_MORE: Final = re.compile(r"[-+.]?[0-9]|[-+.]|[yYnN]$")
_BREAKS: Final = re.compile(r"[\x85\u2028\u2029\ufeff]")
"""Ends of lines to YAML 1.1 and not to 1.2, and a mark that readers drop."""
_BLOCK: Final = re.compile(r"\S(?:.*[^\n])?\n", re.DOTALL)
"""Whole lines, of which neither the first begins nor the last ends with what a block would have to be told of."""


def _represent_text(dumper: Any, text: str) -> yaml.Node:
    return cast("yaml.Node", dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text)))


def _style(text: str) -> str | None:
    if _BREAKS.search(text):
        return '"'
    if _BLOCK.fullmatch(text):
        return "|"
    return "'" if _LOOKS_LIKE_MORE.match(text) else None


class _Dumper(yaml.SafeDumper):
    """A dumper without aliases, which sets lists below their keys."""

    yaml_representers = {**yaml.SafeDumper.yaml_representers, str: _represent_text}  # noqa: RUF012 - of the library

    def ignore_aliases(self, data: object) -> bool:
        """Write a value again where it stands again."""
        del data
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists too."""
        del indentless
        super().increase_indent(flow=flow, indentless=False)


def yaml_text(content: Mapping[str, Any]) -> str:
    """Return a mapping as YAML."""
    return yaml.dump(
        dict(content),
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=_ENDLESS,
    )
