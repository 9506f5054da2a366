"""Rules about what could hurt: paths that leave the store, secrets, downloads that nothing vouches for."""

from collections.abc import Iterator

from wfctl.check.subject import Subject
from wfctl.check.url import Url
from wfctl.check.wording import quoted, to_type
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic
from wfctl.spec.model import ModelSpec


def path_outside_store(subject: Subject) -> Iterator[Diagnostic]:
    """Report each url that leads out of the places where models are looked for."""
    for model, url in subject.urls:
        why = url.escape()
        if why is not None:
            yield find(
                "WF602",
                f"the url of model {quoted(model.name)} is refused: {why}",
                model.url_span,
                help="give the file name only, and the folder with --model-store",
            )


def credentials_in_url(subject: Subject) -> Iterator[Diagnostic]:
    """Report each url with a secret in it, without repeating the secret."""
    for model, url in subject.urls:
        if url.has_credentials():
            yield find(
                "WF603",
                f"the url of model {quoted(model.name)} holds a secret that everyone with the archive can read",
                model.url_span,
                help="fetch the archive beforehand and give its file name, or serve it without a password",
            )


def unpinned_http_url(subject: Subject) -> Iterator[Diagnostic]:
    """Report each download that anyone on the way could change unnoticed."""
    for model, url in subject.urls:
        if url.scheme == "http" and not _is_pinned(model, url):
            yield find(
                "WF604",
                f"the archive of model {quoted(model.name)} comes by plain HTTP and nothing pins what arrives",
                model.url_span,
                help=f"use https, or add sha256 to the model; {_what_run_needs(url, is_pinned=False)}",
            )


def fetched_archive(subject: Subject) -> Iterator[Diagnostic]:
    """Note each download that a run must be allowed to make, and what it needs for it."""
    for model, url in subject.urls:
        is_pinned = _is_pinned(model, url)
        is_refused = url.malformation() or url.escape() or url.has_user()
        if not url.is_remote or is_refused or (url.scheme == "http" and not is_pinned):
            continue
        yield find(
            "WF605",
            f"the archive of model {quoted(model.name)} is fetched"
            + (", and its digest checked" if is_pinned else ", and nothing pins what arrives"),
            model.url_span,
            help=_what_run_needs(url, is_pinned=is_pinned),
        )


def link_out_of_store(subject: Subject) -> Iterator[Diagnostic]:
    """Report each model whose place is taken by a link to somewhere else."""
    for model, url in subject.urls:
        fact = subject.fact_about(model)
        if fact is not None and fact.leads_out is not None and not url.escape():
            yield find(
                "WF606",
                f"the archive {quoted(url.text)} of model {quoted(model.name)} is a link that leads out of the store",
                model.url_span,
                help="put the archive itself there, or name the folder it leads to with --model-store",
                notes=(f"the link is {fact.leads_out}",),
            )


def _is_pinned(model: ModelSpec, url: Url) -> bool:
    return model.sha256 is not None or "#sha256=" in url.text


def _what_run_needs(url: Url, *, is_pinned: bool) -> str:
    allowed = f"wfctl run needs --allow-url {to_type(url.folder)}"
    return allowed if is_pinned else f"{allowed}, and --trust or a sha256 in the spec"
