"""What was fetched runs only if something vouches for it; what is refused leaves nothing (T27, T28)."""

import hashlib
import tempfile
from pathlib import Path

import pytest
from fakes.servers import web_site

import wfctl
from wfctl.archive.collect import planned_file
from wfctl.archive.mar import write_mar
from wfctl.archive.pack import write_archive
from wfctl.archive.read_sources import read_sources
from wfctl.archive.war import plan_workflow
from wfctl.diagnostics.report import InvalidWorkflowError
from wfctl.errors import ArchiveError, FetchError, StoreError, UntrustedError
from wfctl.service.origins import Terms
from wfctl.service.prepare import Request, prepare
from wfctl.store.allow import parse_allowed
from wfctl.store.policy import FetchPolicy

HANDLER = "def post(data, context):\n    return data and [b'post ' + bytes(each['body']) for each in data]\n"
SPEC = "models:\n  m: {{url: {url}{more}}}\ndag:\n  m: [post]\n"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch) -> Path:
    """Watch the temporary folder: whatever happened, nothing is left there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def site():
    with web_site() as site:
        yield site


@pytest.fixture
def mar(tmp_path: Path):
    """Return a function that writes a model that answers with a word, and gives its bytes."""

    def write(word: str) -> bytes:
        code = tmp_path / "model.py"
        code.write_text(f"def handle(data, context):\n    return data and [{word!r} for _ in data]\n")
        path = write_mar(tmp_path / f"{word}.tmp", model_name="m", handler=code, overwrite=True)
        return path.read_bytes()

    return write


@pytest.fixture
def folder(workflow):
    """Return a function that writes a workflow whose model is at ``url``."""

    def write(url: str, name: str = "flow", more: str = "") -> Path:
        return workflow(SPEC.format(url=url, more=more), HANDLER, name)

    return write


@pytest.fixture
def war(folder, tmp_path: Path):
    """Return a function that packs such a workflow and gives its bytes."""

    def write(url: str, **names: bytes) -> bytes:
        source = folder(url, "packed")
        for name, content in names.items():
            (source / f"{name}.mar").write_bytes(content)
        extra = [planned_file(source / f"{name}.mar", f"{name}.mar") for name in names]
        plan = plan_workflow(read_sources(source), name="packed", extra=extra)
        write_archive(tmp_path / "packed.war", plan, overwrite=True)
        return (tmp_path / "packed.war").read_bytes()

    return write


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def ask(path, **options) -> bytes:
    with wfctl.open_deployment(path, inline=True, **options) as flow:
        return flow.predict(b"x").body


def refusal(path, kind=StoreError, **options):
    with pytest.raises(kind) as caught:
        prepare(
            Request(
                path=path,
                model_store=options.pop("model_store", None),
                terms=Terms(
                    policy=FetchPolicy(
                        allowed=parse_allowed(options.pop("allowed", ())), cache=options.pop("cache", None)
                    ),
                    **options,
                ),
            )
        )
    return caught.value


# --- models -----------------------------------------------------------------------------------------------------


def test_a_fetched_model_needs_a_digest_or_trust(folder, site, mar, temporary) -> None:
    content = mar("fetched")
    url = site.serve("/zoo/m.mar", content)
    flow = folder(url)
    error = refusal(flow, UntrustedError, allowed=[site.url()])
    assert f'"{url}" was fetched' in error.message
    assert digest(content) in error.message
    assert f'add sha256: {digest(content)} to model "m"' in error.hint
    assert "--trust" in error.hint
    assert ask(flow, allowed_urls=[site.url()], trust=True) == b"post fetched"
    pinned = folder(url, "pinned", f", sha256: {digest(content)}")
    assert ask(pinned, allowed_urls=[site.url()]) == b"post fetched"
    assert list(temporary.iterdir()) == []


def test_it_is_refused_before_any_archive_is_unpacked(folder, site, mar, tmp_path, monkeypatch) -> None:
    unpacked = []
    monkeypatch.setattr("wfctl.service.prepare.unpack", lambda *words, **_: unpacked.append(words))
    refusal(folder(site.serve("/m.mar", mar("fetched"))), UntrustedError, allowed=[site.url()])
    assert unpacked == []


def test_the_wrong_content_is_refused_by_its_digest(folder, site, mar, temporary) -> None:
    flow = folder(site.serve("/m.mar", mar("evil")), more=f", sha256: {digest(mar('good'))}")
    error = refusal(flow, FetchError, allowed=[site.url()], is_trusted=True)
    assert digest(mar("evil")) in error.message
    assert list(temporary.iterdir()) == []


def test_without_a_word_of_the_user_nothing_is_asked_and_the_way_is_named(folder, site, mar) -> None:
    error = refusal(folder(site.serve("/zoo/m.mar", mar("fetched"))), FetchError, is_trusted=True)
    assert f'--allow-url "{site.url("/zoo/")}"' in error.hint
    assert site.asked == []


def test_what_is_wrong_inside_is_said_of_the_url(folder, site, mar, tmp_path) -> None:
    path = write_mar(tmp_path / "m.mar", model_name="m", handler="image_classifier", runtime="LSP x")
    url = site.serve("/m.mar", path.read_bytes())
    error = refusal(folder(url), ArchiveError, allowed=[site.url()], is_trusted=True)
    assert error.message.startswith(f'the archive "{url}" of node "m" is refused: ')


def test_a_url_that_several_models_have_is_fetched_once(workflow, site, mar) -> None:
    url = site.serve("/m.mar", mar("same"))
    spec = f"models:\n  a: {{url: '{url}'}}\n  b: {{url: '{url}'}}\ndag:\n  pre: [a]\n  a: [b]\n"
    flow = workflow(spec, "def pre(data, context):\n    return data and [b'first' for _ in data]\n")
    assert ask(flow, allowed_urls=site.url(), trust=True) == b"same"
    assert site.asked == ["/m.mar"]


def test_what_the_answer_does_not_need_is_not_fetched(workflow, site) -> None:
    spec = f"models:\n  m: {{url: '{site.url('/m.mar')}'}}\ndag:\n  pre: [m]\n"
    flow = workflow(spec, "def pre(data, context):\n    return data and ['short']\n")
    assert ask(flow, until="pre") == b"short"
    assert site.asked == []


def test_two_workflows_use_models_of_the_same_name(folder, site, mar, tmp_path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    stores = {}
    for name in ("one", "two"):
        flow = folder("m.mar", f"flow{name}")
        stores[name] = tmp_path / f"store{name}"
        stores[name].mkdir()
        (stores[name] / "m.mar").write_bytes(mar(name))
        stores[name] = (flow, stores[name])
    site.serve("/a/m.mar", mar("three"))
    site.serve("/b/m.mar", mar("four"))
    fetched = [folder(site.url(f"/{place}/m.mar"), f"flow{place}") for place in "ab"]
    with (
        wfctl.open_deployment(stores["one"][0], model_store=stores["one"][1], inline=True) as one,
        wfctl.open_deployment(stores["two"][0], model_store=stores["two"][1], inline=True) as two,
        wfctl.open_deployment(fetched[0], allowed_urls=[site.url()], trust=True, inline=True) as three,
        wfctl.open_deployment(fetched[1], allowed_urls=[site.url()], trust=True, inline=True) as four,
    ):
        answers = [flow.predict(b"x").body for flow in (one, two, three, four)]
    assert answers == [b"post one", b"post two", b"post three", b"post four"]


def test_a_file_url_that_is_allowed_is_run_as_what_is_here(folder, mar, tmp_path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "m.mar").write_bytes(mar("local"))
    flow = folder((tmp_path / "elsewhere" / "m.mar").as_uri())
    assert ask(flow, allowed_urls=[f"file://{tmp_path}/elsewhere/"]) == b"post local"


def test_a_digest_in_a_file_url_counts_as_the_one_in_the_spec(folder, mar, tmp_path) -> None:
    content = mar("local")
    (tmp_path / "m.mar").write_bytes(content)
    url = (tmp_path / "m.mar").as_uri()
    assert ask(folder(f"'{url}#sha256={digest(content).upper()}'", "good"), model_store=tmp_path) == b"post local"
    bad = folder(f"'{url}#sha256={'ab' * 32}'", "bad")
    assert digest(content) in refusal(bad, ArchiveError, model_store=tmp_path).message
    twice = folder(f"'{url}#sha256={digest(content)}'", "twice", more=f", sha256: {'cd' * 32}")
    with pytest.raises((FetchError, InvalidWorkflowError)):
        ask(twice, model_store=tmp_path)


# --- workflows --------------------------------------------------------------------------------------------------


def test_a_fetched_workflow_needs_a_digest_or_trust(site, war, mar, temporary) -> None:
    content = war("m.mar", m=mar("inside"))
    url = site.serve("/flow.war", content)
    error = refusal(url, UntrustedError, allowed=[site.url()])
    assert f'"{url}#sha256={digest(content)}"' in error.hint
    assert "--trust" in error.hint
    allowed = {"allowed_urls": [site.url()]}
    assert ask(f"{url}#sha256={digest(content)}", **allowed) == b"post inside"
    assert ask(url, sha256=digest(content).upper(), **allowed) == b"post inside"
    assert ask(url, trust=True, **allowed) == b"post inside"
    for wrong in ({"path": f"{url}#sha256={'ab' * 32}"}, {"path": url, "sha256": "ab" * 32, "is_trusted": True}):
        assert digest(content) in refusal(wrong.pop("path"), FetchError, allowed=[site.url()], **wrong).message
    assert list(temporary.iterdir()) == []


def test_an_encoded_slash_is_no_way_around_what_a_file_url_is_allowed(war, mar, tmp_path) -> None:
    war("m.mar", m=mar("inside"))
    (tmp_path / "allowed").mkdir()
    hidden = str(tmp_path / "packed.war").replace("/", "%2F")
    for url in (f"file://{tmp_path}/allowed/{hidden}", f"file:///{hidden}"):
        refusal(url, FetchError, allowed=[f"file://{tmp_path}/allowed/"])


def test_two_pins_that_contradict_each_other_are_refused_before_anything_is_asked(site) -> None:
    url = f"{site.url('/flow.war')}#sha256={'ab' * 32}"
    assert "pinned twice" in refusal(url, FetchError, allowed=[site.url()], sha256="cd" * 32).message
    assert site.asked == []


def test_a_pin_of_the_workflow_is_none_for_the_models_it_names_by_url(site, war, mar) -> None:
    model = site.serve("/m.mar", mar("elsewhere"))
    content = war(model)
    url = f"{site.serve('/flow.war', content)}#sha256={digest(content)}"
    error = refusal(url, UntrustedError, allowed=[site.url()])
    assert f'"{model}" was fetched' in error.message
    assert ask(url, allowed_urls=[site.url()], trust=True) == b"post elsewhere"


def test_a_secret_in_the_url_of_a_workflow_is_repeated_nowhere(site, war, mar) -> None:
    site.serve("/flow.war?token=hunter2", war("m.mar", m=mar("inside")))
    error = refusal(site.url("/flow.war?token=hunter2"), UntrustedError, allowed=[site.url()])
    assert "hunter2" not in f"{error.message}{error.hint}"
    assert "--sha256 " in error.hint


def test_findings_and_places_of_a_fetched_workflow_stand_under_its_url(site, war, mar) -> None:
    url = site.serve("/flow.war", war("m.mar"))
    with pytest.raises(InvalidWorkflowError) as caught:
        ask(url, allowed_urls=[site.url()], trust=True)
    (found,) = caught.value.report
    assert found.span.source.name == f"{url}/workflow.yaml"
    assert found.notes == (f"looked inside {url}",)
    site.serve("/bad.war", b"PK\x03\x04 and nothing more")
    error = refusal(site.url("/bad.war"), ArchiveError, allowed=[site.url()], is_trusted=True)
    assert f'"{site.url("/bad.war")}"' in error.message


def test_a_digest_holds_for_a_local_archive_too(war, mar, tmp_path, folder) -> None:
    content = war("m.mar", m=mar("inside"))
    assert ask(tmp_path / "packed.war", sha256=digest(content)) == b"post inside"
    assert digest(content) in refusal(tmp_path / "packed.war", ArchiveError, sha256="ab" * 32).message
    assert "no packed archive" in refusal(folder("m.mar"), ArchiveError, sha256="ab" * 32).message


def test_a_workflow_is_opened_by_its_name_in_the_store(war, mar, tmp_path, monkeypatch) -> None:
    store = tmp_path / "workflows"
    store.mkdir()
    (store / "flow.war").write_bytes(war("m.mar", m=mar("stored")))
    monkeypatch.chdir(tmp_path)
    assert ask("flow.war", workflow_store=store) == b"post stored"
    assert ask((store / "flow.war").as_uri(), workflow_store=store) == b"post stored"
    outside = tmp_path / "packed.war"
    assert "is not fetched" in refusal(outside.as_uri(), FetchError, workflow_store=store).message
    (store / "link.war").symlink_to(outside)
    assert "leads out" in refusal(Path("link.war"), workflow_store=store).message
    refusal((store / "link.war").as_uri(), FetchError, workflow_store=store)
    assert ask(outside.as_uri(), allowed_urls=[tmp_path.as_uri()]) == b"post stored"


# --- T27 and T28 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/zoo/../m.mar", "/zoo/%2e%2e/m.mar", "/m.mar/..", "/zoo/..%2fm.mar"])
def test_t27_a_refused_url_leaves_no_file_that_a_bare_name_finds_afterwards(
    folder, site, mar, tmp_path, path, temporary
) -> None:
    """The replay of CVE-2024-35198, for a model and for a workflow."""
    store, cache = tmp_path / "store", tmp_path / "cache"
    store.mkdir()
    site.serve(path, mar("smuggled"))
    terms = {"allowed": [site.url()], "is_trusted": True, "cache": cache}
    with pytest.raises(InvalidWorkflowError):
        prepare(Request(path=folder(site.url(path)), model_store=store, terms=Terms(is_trusted=True)))
    refusal(site.url(path), FetchError, workflow_store=store, **terms)
    assert site.asked == []
    assert [list(each.iterdir()) for each in (store, temporary)] == [[], []]
    assert not cache.exists()
    with pytest.raises(InvalidWorkflowError):
        prepare(Request(path=folder("m.mar", "bare"), model_store=store))


def test_t28_nothing_in_a_store_is_overwritten_by_what_is_fetched(folder, site, mar, tmp_path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (store / "m.mar").write_bytes(mar("mine"))
    content = mar("theirs")
    flow = folder(site.serve("/m.mar", content), more=f", sha256: {digest(content)}")
    options = {"allowed_urls": [site.url()], "model_store": store, "cache": store}
    assert ask(flow, **options) == b"post theirs"
    assert (store / "m.mar").read_bytes() == mar("mine")
    assert ask(folder("m.mar", "other"), model_store=store) == b"post mine"


# --- the cache --------------------------------------------------------------------------------------------------


def test_what_is_pinned_is_kept_and_needs_no_network_the_next_time(folder, site, mar, tmp_path) -> None:
    content = mar("kept")
    flow = folder(site.serve("/m.mar", content), more=f", sha256: {digest(content)}")
    options = {"allowed_urls": [site.url()], "cache": tmp_path / "cache"}
    assert [ask(flow, **options) for _ in range(2)] == [b"post kept"] * 2
    assert site.asked == ["/m.mar"]
    (kept,) = (tmp_path / "cache").iterdir()
    assert kept.name == f"{digest(content)}.mar"
    kept.write_bytes(b"spoilt")
    assert ask(flow, **options) == b"post kept"
    assert site.asked == ["/m.mar"] * 2
    # Whether it is refused does not depend on what earlier runs left.
    refusal(flow, FetchError, cache=tmp_path / "cache")


def test_what_nothing_pins_is_fetched_anew_and_not_kept(folder, site, mar, tmp_path) -> None:
    flow = folder(site.serve("/m.mar", mar("first")))
    options = {"allowed_urls": [site.url()], "cache": tmp_path / "cache", "trust": True}
    assert ask(flow, **options) == b"post first"
    site.serve("/m.mar", mar("second"))
    assert ask(flow, **options) == b"post second"
    assert not (tmp_path / "cache").exists()


def test_real_workers_run_what_was_fetched_and_vouched_for(site, war, mar) -> None:
    model = site.serve("/m.mar", mar("elsewhere"))
    site.serve("/flow.war", war(model))
    told = []
    with wfctl.open_deployment(
        site.url("/flow.war"), allowed_urls=[site.url()], trust=True, on_fetch=told.append
    ) as flow:
        assert flow.predict(b"x").body == b"post elsewhere"
    assert [each.url for each in told if each.is_done] == [site.url("/flow.war"), model]


def test_nodes_of_what_runs_are_marked_as_trusted(site, war, mar) -> None:
    site.serve("/flow.war", war(site.serve("/m.mar", mar("elsewhere"))))
    policy = FetchPolicy(allowed=parse_allowed([site.url()]))
    prepared = prepare(Request(path=site.url("/flow.war"), terms=Terms(policy=policy, is_trusted=True)))
    try:
        assert {node.code.is_trusted for node in prepared.plan.nodes} == {True}
        assert prepared.plan.workflow_name == "packed"
    finally:
        prepared.remove()
