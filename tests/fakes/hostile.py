"""Names that no spec allows, for whoever shows names all the same."""

from dataclasses import replace

from wfctl.plan import ExecutionPlan

HOSTILE = '<script>alert("1")</script>\u202e'


def renamed(plan: ExecutionPlan, **names: str) -> ExecutionPlan:
    """Return a plan whose nodes are called otherwise: old name -> new one."""

    def new(given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names.get(name, name) for name in given)

    nodes = (
        replace(node, name=names.get(node.name, node.name), parents=new(node.parents), children=new(node.children))
        for node in plan.nodes
    )
    return replace(plan, nodes=tuple(nodes))
