"""The safe edits are safe: whatever the spec, they mend what they belong to and bring nothing new."""

from collections import Counter
from itertools import pairwise

from checking import check_text, codes, fixed
from hypothesis import given
from hypothesis import strategies as st

HANDLER = "def prepare(data, context):\n    return data\n\n\ndef finish(data, context):\n    return data\n"
NAMES = st.sampled_from(
    ["detect", "detct", "dtect", "classify", "clasify", "prepare", "prepar", "finish", "finsh", "zzz"]
)
QUOTES = st.sampled_from(["", "'", '"'])
WORDS = st.tuples(NAMES, QUOTES).map(lambda word: f"{word[1]}{word[0]}{word[1]}")
LISTS = st.tuples(st.lists(WORDS, max_size=4), st.booleans())


def _written(dag: dict[str, tuple[list[str], bool]]) -> str:
    lines = ["models:\n  detect: {url: detect.mar}\n  classify: {url: classify.mar}\ndag:\n"]
    for name, (targets, is_block) in dag.items():
        items = (
            "".join(f"\n    - {target}" for target in targets) if is_block and targets else f" [{', '.join(targets)}]"
        )
        lines.append(f"  {name}:{items}\n")
    return "".join(lines)


@given(st.dictionaries(NAMES, LISTS, min_size=1, max_size=6))
def test_safe_edits_never_touch_and_never_make_it_worse(dag: dict[str, tuple[list[str], bool]]) -> None:
    checked = check_text(_written(dag), HANDLER)
    spans = sorted((edit.span.first, edit.span.beyond) for found in checked.report for edit in found.fix)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    if not spans:
        return
    before = Counter(codes(checked))
    after = Counter(codes(check_text(fixed(checked), HANDLER)))
    mended = Counter(found.code for found in checked.report if found.fix)
    for code in ("WF303", "WF304", "WF403"):
        assert after[code] == before[code] - mended[code]
    for code in ("WF102", "WF103", "WF201", "WF301", "WF302", "WF305", "WF307"):
        assert after[code] <= before[code], code
