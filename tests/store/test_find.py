import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from wfctl.diagnostics.model import SourceText
from wfctl.errors import StoreError, UnreadableInputError
from wfctl.spec.parse import parse_spec
from wfctl.store.allow import parse_allowed
from wfctl.store.digest import sha256_of
from wfctl.store.find import Places, facts_for, find_model, find_workflow_file, is_remote, require_model


@pytest.fixture
def places(tmp_path):
    for name in ("beside", "store", "environment", "outside"):
        (tmp_path / name).mkdir()
    (tmp_path / "outside" / "secret.mar").write_text("secret")
    return Places(
        beside=tmp_path / "beside", model_store=tmp_path / "store", environment_store=tmp_path / "environment"
    )


def test_places_are_asked_in_their_order(places, tmp_path):
    for name in ("environment", "store", "beside"):
        (tmp_path / name / "m.mar").write_text(name)
        assert require_model("m.mar", places) == tmp_path / name / "m.mar"


def test_the_archive_itself_comes_first(places, tmp_path):
    (tmp_path / "beside" / "m.mar").write_text("beside")
    inside = Places(
        members=frozenset({"m.mar", "models/n.mar", "folder/MAR-INF/MANIFEST.json"}),
        archive=Path("a.war"),
        unpacked=tmp_path / "unpacked",
        beside=places.beside,
    )
    assert require_model("m.mar", inside) == tmp_path / "unpacked" / "m.mar"
    assert find_model("models/n.mar", inside).member == "models/n.mar"
    assert find_model("folder", inside).path == tmp_path / "unpacked" / "folder"
    assert find_model("absent.mar", inside).tried == ("inside a.war", str(places.beside))


def test_archives_tars_and_folders_are_found(places, tmp_path):
    (tmp_path / "store" / "a.mar").write_text("a")
    (tmp_path / "store" / "b.tar.gz").write_text("b")
    (tmp_path / "store" / "c").mkdir()
    for name in ("a.mar", "b.tar.gz", "c"):
        assert require_model(name, places) == tmp_path / "store" / name


def test_a_path_falls_back_to_its_last_part_as_in_the_original(places, tmp_path):
    (tmp_path / "store" / "m.mar").write_text("m")
    assert require_model("sub/m.mar", places) == tmp_path / "store" / "m.mar"
    (tmp_path / "store" / "sub").mkdir()
    (tmp_path / "store" / "sub" / "m.mar").write_text("sub")
    assert require_model("sub/m.mar", places) == tmp_path / "store" / "sub" / "m.mar"


def test_a_missing_model_names_every_place(places):
    with pytest.raises(StoreError) as caught:
        require_model("absent.mar", places)
    assert 'there is no model "absent.mar"; looked in ' in caught.value.message
    for folder in places.folders:
        assert folder in caught.value.message
    assert "--model-store" in caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "../outside/secret.mar",
        "x/../../outside/secret.mar",
        "{root}/outside/secret.mar",
        "file://{root}/outside/secret.mar",
        "file://{root}/beside/../outside/secret.mar",
        "file:///etc/passwd",
        "file://other.test{root}/beside/m.mar",
        "file://{root}/beside/%2Fetc%2Fpasswd",
        "file://{root}/beside/%2e%2e/outside/secret.mar",
        "",
        ".",
        " ",
        "a\0b",
    ],
)
def test_a_url_that_leads_out_is_looked_for_nowhere(places, tmp_path, url):
    found = find_model(url.format(root=tmp_path), places)
    assert (found.path, found.member) == (None, None)
    assert not found.tried
    with pytest.raises(StoreError, match="leads out of the places"):
        require_model(url.format(root=tmp_path), places)


def test_an_absolute_path_inside_a_place_is_found(places, tmp_path):
    (tmp_path / "store" / "m.mar").write_text("m")
    assert require_model(str(tmp_path / "store" / "m.mar"), places) == tmp_path / "store" / "m.mar"
    assert require_model(f"file://{tmp_path}/store/m.mar", places) == tmp_path / "store" / "m.mar"


@pytest.mark.parametrize("url", ["https://example.org/m.mar", "HTTP://example.org/m.mar"])
def test_a_model_on_another_machine_is_not_fetched_and_the_way_out_is_named(places, url):
    assert is_remote(url)
    with pytest.raises(StoreError, match="on another machine") as caught:
        require_model(url, places)
    assert "download it" in caught.value.hint


def test_odd_urls_are_names_like_any_other(places):
    for url in ("http:", "a:b:c", "http://[", "m" * 5000, "~/m.mar", "$HOME"):
        found = find_model(url, places)
        assert (found.path, found.member) == (None, None)


def test_the_same_folder_is_asked_once(tmp_path):
    places = Places(beside=tmp_path, model_store=tmp_path, environment_store=tmp_path)
    assert find_model("absent", places).tried == (str(tmp_path),)


def test_facts_hold_a_digest_only_where_one_is_pinned(places, tmp_path):
    content = b"weights" * 1000
    (tmp_path / "store" / "a.mar").write_bytes(content)
    (tmp_path / "store" / "b.mar").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    text = (
        f"models:\n  a: {{url: a.mar, sha256: {digest}}}\n  b: {{url: b.mar}}\n"
        f"  c: {{url: c.mar}}\n  d: {{url: 'https://example.org/d.mar'}}\n  e: {{url: in.mar, sha256: {digest}}}\n"
        "dag: {a: [b], b: [c], c: [d], d: [e]}\n"
    )
    spec, _ = parse_spec(SourceText("w.yaml", text))
    inside = Places(members=frozenset({"in.mar"}), archive=Path("a.war"), model_store=places.model_store)
    facts = facts_for(spec.models, inside, digest_of_member={"in.mar": "ff"}.get)
    assert (facts["a"].found, facts["a"].sha256) == (str(tmp_path / "store" / "a.mar"), digest)
    assert facts["b"].sha256 is None
    assert (facts["c"].found, facts["c"].places) == (None, ("inside a.war", str(tmp_path / "store")))
    assert "d" not in facts
    assert (facts["e"].found, facts["e"].sha256) == ("in.mar", "ff")


def test_a_digest_of_what_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(UnreadableInputError, match="absent"):
        sha256_of(tmp_path / "absent")


# --- T29: links, and file: urls ---------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["beside", "store", "environment"])
@pytest.mark.parametrize("kind", ["file", "folder", "chain"])
def test_t29_a_store_entry_that_is_a_link_out_is_refused(places, tmp_path, where, kind):
    target = tmp_path / "outside"
    link = tmp_path / where / "m.mar"
    if kind == "folder":  # the link stands in the middle of the name
        (tmp_path / where / "sub").symlink_to(target)
        url, link = "sub/secret.mar", tmp_path / where / "sub" / "secret.mar"
    else:
        url = "m.mar"
        (tmp_path / where / "n.mar").symlink_to(target / "secret.mar")
        link.symlink_to("n.mar" if kind == "chain" else target / "secret.mar")
    found = find_model(url, places)
    assert (found.path, found.leads_out) == (None, str(link))
    with pytest.raises(StoreError, match="is a link that leads out of the places") as caught:
        require_model(url, places)
    assert "name the folder that it leads to" in caught.value.hint
    spec, _ = parse_spec(SourceText("w.yaml", f"models:\n  a: {{url: {url}}}\ndag: {{a: []}}\n"))
    fact = facts_for(spec.models, places)["a"]
    assert (fact.found, fact.leads_out) == (None, str(link))


def test_t29_a_link_within_the_places_is_followed(places, tmp_path):
    (tmp_path / "environment" / "real.mar").write_text("m")
    (tmp_path / "store" / "m.mar").symlink_to(tmp_path / "environment" / "real.mar")
    assert require_model("m.mar", places) == tmp_path / "store" / "m.mar"
    (tmp_path / "link to the store").symlink_to(tmp_path / "store")
    linked = Places(model_store=tmp_path / "link to the store", environment_store=tmp_path / "environment")
    assert require_model("m.mar", linked) == tmp_path / "link to the store" / "m.mar"


def test_t29_a_file_url_outside_the_places_needs_to_be_allowed(places, tmp_path):
    secret = tmp_path / "outside" / "secret.mar"
    with pytest.raises(StoreError, match="leads out of the places") as caught:
        require_model(secret.as_uri(), places)
    assert f'--allow-url "file://{tmp_path}/outside/"' in caught.value.hint
    allowing = replace(places, allowed=parse_allowed([f"file://{tmp_path}/outside/"]))
    assert require_model(secret.as_uri(), allowing) == secret
    elsewhere = tmp_path / "other.mar"
    elsewhere.write_text("other")
    for url in (elsewhere.as_uri(), f"file://{tmp_path}/outside/../other.mar", str(secret)):
        with pytest.raises(StoreError):
            require_model(url, allowing)
    (tmp_path / "outside" / "link.mar").symlink_to(elsewhere)
    with pytest.raises(StoreError):
        require_model((tmp_path / "outside" / "link.mar").as_uri(), allowing)


def test_a_workflow_is_found_by_its_name_in_the_workflow_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = tmp_path / "workflows"
    store.mkdir()
    (store / "a.war").write_text("stored")
    (tmp_path / "out.war").write_text("outside")
    assert find_workflow_file(Path("a.war"), store) == store / "a.war"
    assert find_workflow_file(Path("a.war"), None) == Path("a.war")
    assert find_workflow_file(Path("b.war"), store) == Path("b.war")
    for path in ("sub/a.war", "./sub/../a.war", "/a.war", "..", "."):
        assert find_workflow_file(Path(path), store) == Path(path)
    (store / "link.war").symlink_to(tmp_path / "out.war")
    with pytest.raises(StoreError, match="is a link that leads out"):
        find_workflow_file(Path("link.war"), store)
    (tmp_path / "a.war").write_text("here")
    assert find_workflow_file(Path("a.war"), store) == Path("a.war")
