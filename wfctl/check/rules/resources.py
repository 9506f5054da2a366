"""Rules about what nodes take on a cluster."""

from collections.abc import Iterator

from wfctl.check.subject import Subject
from wfctl.check.wording import quoted
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic

_MEANT = {
    "cpu": "num_cpus",
    "cpus": "num_cpus",
    "num-cpus": "num_cpus",
    "gpu": "num_gpus",
    "gpus": "num_gpus",
    "num-gpus": "num_gpus",
    "object_store_memory": "memory",
}
"""What Ray calls its own parts, and what people write: in small letters -> the word that is meant."""
_IN_PARTS = frozenset({"num_cpus", "memory"})


def impossible_resource(subject: Subject) -> Iterator[Diagnostic]:
    """Report each resource that no Ray can give out."""
    for options in subject.spec.extension.nodes.values():
        for name, amount in options.resources.items():
            span = options.spans[f"resources.{name}"]
            meant = _MEANT.get(name.lower())
            if meant is not None:
                text = f"{quoted(name)} of node {quoted(options.name)} is no name for a custom resource"
                yield find("WF212", text, span, help=f'write "{meant}"')
            elif amount > 1 and amount != int(amount) and name not in _IN_PARTS:
                text = f"{quoted(name)} of node {quoted(options.name)} is more than one and not whole"
                yield find("WF212", text, span, help="parts are given out of one only: write a whole number")
