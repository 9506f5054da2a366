"""An actor on the machine that has the files: packs what replicas on other machines ask for into Ray's object store.

Nothing is read before somebody asks. Ray's store brings each piece to a machine once, from any machine that has it.
"""

import os
import pickle
from typing import Any

import ray

from wfctl.cluster.parcels import Parcel, folders_of, members_of, packed
from wfctl.cluster.session import SESSION, here
from wfctl.cluster.sources import NAMESPACE, CodeSource, InPlace, Shipped
from wfctl.plan import CodeUnit, ExecutionPlan


class Depot:
    """Hands out the folders of nodes."""

    def __init__(self, units: bytes) -> None:
        self._units: dict[str, CodeUnit] = pickle.loads(units)  # noqa: S301 - written by our own engine
        self._parcels: dict[str, Parcel] = {}
        """Folder -> what became of it."""

    def parcel(self, node: str, number: int) -> Parcel:
        """Return one of a node's folders; raises what reading it raises."""
        unit = self._units[node]
        folder = folders_of(unit)[number]
        if folder not in self._parcels:
            self._parcels[folder] = packed(members_of(unit, number), ray.put)
        return self._parcels[folder]


class Shipping:
    """The depot of one plan, as long as its nodes may be started somewhere; its methods block."""

    def __init__(self) -> None:
        self._actor: Any = None

    def open(self, plan: ExecutionPlan) -> CodeSource:
        """Return where processes of the plan find their code: on a cluster from a depot on this machine.

        Raises ``UnsupportedError`` for folders that are too large to be sent around.
        """
        if not SESSION.is_joined:
            return InPlace()
        units = {node.name: node.code for node in plan.nodes}
        for unit in {unit.model_dir: unit for unit in units.values() if not unit.is_private}.values():
            members_of(unit, 0)  # refused before anything starts
        home, name = ray.get_runtime_context().get_node_id(), f"depot-{os.urandom(8).hex()}"
        self._actor = (
            ray.remote(Depot)
            .options(name=name, namespace=NAMESPACE, num_cpus=0, max_restarts=-1, scheduling_strategy=here())
            .remote(pickle.dumps(units))
        )
        return Shipped(name, home)

    def close(self) -> None:
        """End the depot."""
        actor, self._actor = self._actor, None
        if actor is not None:
            ray.kill(actor)
