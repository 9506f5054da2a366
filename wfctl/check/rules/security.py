"""Rules about what could hurt: paths that leave the store, secrets, downloads that nothing vouches for."""

from collections.abc import Iterator

from wfctl.check.subject import Subject
from wfctl.check.wording import quoted
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic


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
        if url.scheme == "http" and model.sha256 is None:
            yield find(
                "WF604",
                f"the archive of model {quoted(model.name)} comes by plain HTTP and nothing pins what arrives",
                model.url_span,
                help="use https, or add sha256 to the model",
            )
