"""Where a process on Ray finds what its node loads.

Invariant: values that travel; what a source needs of Ray it takes when it is asked.
"""

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from wfctl import __version__
from wfctl.cluster.landing import landed
from wfctl.cluster.parcels import Parcel, folders_of, unpack_parcel
from wfctl.errors import LoadError
from wfctl.plan import CodeUnit, NodePlan

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMESPACE = "wfctl"


class CodeSource(Protocol):
    """Says what a node loads, in the process that loads it."""

    def code_of(self, node: NodePlan) -> CodeUnit:
        """Return the code with its files on this machine."""


class InPlace:
    """All files lie on this machine, where the plan says."""

    def code_of(self, node: NodePlan) -> CodeUnit:
        """Return what the plan says."""
        return node.code


@dataclass(frozen=True, slots=True)
class Shipped:
    """Files lie on one machine, where a depot hands them out to others."""

    depot: str
    """Name of the actor."""
    home: str
    """Ray's id of the machine."""

    def code_of(self, node: NodePlan) -> CodeUnit:
        """Return what the plan says, at home; elsewhere fetch what other processes there have not fetched yet."""
        import ray

        if ray.get_runtime_context().get_node_id() == self.home:
            return node.code
        depot = ray.get_actor(self.depot, namespace=NAMESPACE)
        folders = [
            _fetched(ray.get(depot.parcel.remote(node.name, number))) for number in range(len(folders_of(node.code)))
        ]
        return replace(node.code, model_dir=folders[0], import_paths=tuple(folders[1:]))


def _fetched(parcel: Parcel) -> str:
    def fill(into: Path) -> None:
        unpack_parcel(parcel, _pieces(parcel.pieces), into)

    return str(landed(parcel.digest, fill))


def _pieces(references: "Sequence[Any]") -> Iterator[bytes]:
    """Get one piece after the other: a machine need not have the memory for all."""
    import ray

    for reference in references:
        yield ray.get(reference)


class Start(Protocol):
    """What a process for one node is told when it starts: a dataclass."""

    @property
    def node(self) -> NodePlan:
        """The node, as the sender knows it."""

    @property
    def source(self) -> CodeSource:
        """Where its code is to be found."""


def sent(start: Start) -> tuple[str, str, bytes]:
    """Return what the constructor of a process gets, who gives it to ``received``."""
    return __version__, start.node.name, pickle.dumps(start)


def received(version: str, node: str, start: bytes) -> Any:
    """Return what was sent, its node with the files on this machine; for code that Ray has imported there.

    Raises ``LoadError`` where this machine has another wfctl than the one that sent it, and what finding code raises.
    """
    if version != __version__:
        raise LoadError(
            f'node "{node}" was placed on a machine with wfctl {__version__}, and is sent by wfctl {version}',
            node=node,
            hint=f"install wfctl {version} on every machine of the cluster",
        )
    told = pickle.loads(start)  # noqa: S301 - written by our own engine
    return replace(told, node=replace(told.node, code=told.source.code_of(told.node)))
