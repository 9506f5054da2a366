"""Rules about models: they are used, and their archives can be had."""

from collections.abc import Iterator

from wfctl.check.subject import Subject
from wfctl.check.url import FETCHABLE, Url
from wfctl.check.wording import quoted, to_type
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic

_PLACES_SHOWN = 8
_PUT_IT_THERE = "put it beside the spec or the .war, or name the folder it is in with --model-store"


def unused_model(subject: Subject) -> Iterator[Diagnostic]:
    """Report each model that stands in no edge of the dag."""
    if not subject.is_whole:
        return
    used = subject.mended.children
    for model in subject.spec.models.values():
        if model.name not in used:
            yield find(
                "WF307",
                f"the model {quoted(model.name)} stands nowhere in the dag, so it never runs",
                model.name_span,
                help="add it to the dag, or remove it",
            )


def archive_not_found(subject: Subject) -> Iterator[Diagnostic]:
    """Report each model in use whose archive is in none of the places."""
    for model, url in subject.urls:
        fact = subject.fact_about(model)
        # Where the url itself is refused, nobody looked; TorchServe looks only for what the dag uses.
        is_refused = url.escape() or _has_unknown_scheme(url)
        if fact is None or fact.found or fact.leads_out or is_refused or model.name not in subject.mended.children:
            continue
        yield find(
            "WF501",
            f"the archive {quoted(url.text)} of model {quoted(model.name)} is not there",
            model.url_span,
            help=_PUT_IT_THERE if url.scheme is None else f"{_PUT_IT_THERE}, or {_allowing(url)}",
            notes=tuple(_looked(place) for place in fact.places[:_PLACES_SHOWN]),
        )


def _allowing(url: Url) -> str:
    return f"let wfctl run take it with --allow-url {to_type(url.folder)}"


def _has_unknown_scheme(url: Url) -> bool:
    return url.scheme is not None and url.scheme not in FETCHABLE


def _looked(place: str) -> str:
    return f"looked {place}" if place.startswith("inside ") else f"looked in {place}"


def unknown_url_scheme(subject: Subject) -> Iterator[Diagnostic]:
    """Report each url that says how to be fetched, in a way that nobody here can."""
    for model, url in subject.urls:
        if _has_unknown_scheme(url):
            yield find(
                "WF502",
                f"a model cannot be fetched by {quoted(str(url.scheme))}",
                model.url_span,
                help="use https, http or file, or fetch the archive yourself and give its file name",
            )


def not_an_archive_name(subject: Subject) -> Iterator[Diagnostic]:
    """Report each url that ends like something else than an archive."""
    for model, url in subject.urls:
        if _has_unknown_scheme(url) or url.malformation() or url.looks_like_archive():
            continue
        weights = url.path.endswith((".pt", ".pth", ".bin", ".onnx", ".safetensors"))
        yield find(
            "WF503",
            f"{quoted(url.shown)} does not look like a model archive",
            model.url_span,
            help="these are bare weights: pack them into a .mar with torch-model-archiver"
            if weights
            else "archives end in .mar or .tar.gz",
        )


def digest_mismatch(subject: Subject) -> Iterator[Diagnostic]:
    """Report each archive that is not the one its model pins."""
    for model, url in subject.urls:
        fact = subject.fact_about(model)
        if fact is None or fact.sha256 is None or model.sha256 is None:
            continue
        if fact.sha256.lower() != model.sha256.lower():
            yield find(
                "WF504",
                f"{quoted(url.text)} is not the archive that model {quoted(model.name)} pins",
                model.spans.get("sha256", model.url_span),
                help="get the right archive, or pin the new one once you trust it",
                notes=(f"found {fact.found}", f"its sha256 is {fact.sha256}"),
            )


def malformed_url(subject: Subject) -> Iterator[Diagnostic]:
    """Report each url that is no address at all."""
    for model, url in subject.urls:
        why = url.malformation()
        if why is not None:
            yield find(
                "WF506",
                f"the url of model {quoted(model.name)} cannot be an address: {why}",
                model.url_span,
                help="write it as https://host/path/model.mar",
            )
