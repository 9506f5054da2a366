from pathlib import Path

import pytest

from wfctl.archive.embed import Embedded, embed
from wfctl.diagnostics.model import SourceText
from wfctl.errors import ArchiveError
from wfctl.spec.parse import parse_spec

DIGEST = "ab" * 32
DAG = "dag:\n  m1: [m2]\n"


def _embed(text, paths=("one.mar", "two.mar")):
    source = SourceText("workflow.yaml", text)
    spec, _ = parse_spec(source)
    models = [
        Embedded(model=model, path=Path("/store") / name, sha256=DIGEST)
        for model, name in zip(spec.models.values(), paths, strict=False)
    ]
    return embed(source, models)


def test_urls_are_rewritten_and_digests_pinned_and_comments_kept():
    text = f"""\
models:   # the two
  m1:
      url : one.mar   # the first
      batch-size: 4
  m2 :
    min-workers: 2
    url: "https://example.org/two.mar"
{DAG}# end"""
    assert (
        _embed(text)
        == f"""\
models:   # the two
  m1:
      url : models/one.mar   # the first
      sha256: "{DIGEST}"
      batch-size: 4
  m2 :
    min-workers: 2
    url: models/two.mar
    sha256: "{DIGEST}"
{DAG}# end"""
    )


def test_flow_style_entries_stay_on_their_line():
    text = f"models: {{m1: {{url: one.mar, batch-size: 2}}, m2: {{url: two.mar}}}}\n{DAG}"
    assert _embed(text) == (
        f'models: {{m1: {{url: models/one.mar, sha256: "{DIGEST}", batch-size: 2}}, '
        f'm2: {{url: models/two.mar, sha256: "{DIGEST}"}}}}\n{DAG}'
    )


def test_a_pin_that_is_there_is_replaced():
    text = f"models:\n  m1:\n    sha256: {'0' * 64}\n    url: one.mar\n{DAG}"
    assert _embed(text) == f'models:\n  m1:\n    sha256: "{DIGEST}"\n    url: models/one.mar\n{DAG}'


def test_line_ends_stay_as_they_are():
    text = f"models:\n  m1:\n    url: one.mar\n{DAG}".replace("\n", "\r\n")
    assert _embed(text) == f'models:\n  m1:\n    url: models/one.mar\n    sha256: "{DIGEST}"\n{DAG}'.replace(
        "\n", "\r\n"
    )


def test_a_name_with_odd_characters_is_quoted():
    text = f"models:\n  m1:\n    url: one.mar\n{DAG}"
    assert 'url: "models/a: b#.mar"' in _embed(text, ["a: b#.mar"])


def test_an_entry_that_cannot_be_rewritten_is_refused():
    text = f"base: &base {{url: one.mar}}\nmodels:\n  m1: *base\n  m2: *base\n{DAG}"
    with pytest.raises(ArchiveError, match=r'the entry of "m[12]" cannot be rewritten'):
        _embed(text)


def test_two_entries_that_share_an_anchor_and_a_model_are_rewritten_once():
    text = f"models:\n  m1: &one\n    url: one.mar\n  m2: *one\n{DAG}"
    assert _embed(text, ["one.mar", "one.mar"]).count(DIGEST) == 1
