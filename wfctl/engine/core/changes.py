"""What is asked of a running workflow: other numbers of workers, other code.

Events like those of ``events``, each returning the commands to carry out.
"""

from wfctl.engine.core.commands import Command
from wfctl.engine.core.records import NodeState
from wfctl.engine.core.serving import serve
from wfctl.engine.core.staffing import staff_to, start_worker
from wfctl.engine.core.state import CoreState
from wfctl.engine.core.timing import next_deadline


def scaled(state: CoreState, node: NodeState, least: int, most: int, now: float) -> list[Command]:
    """Have a node run with other numbers of workers; one that was given up gets another chance."""
    commands: list[Command] = []
    staff_to(state, node, least, most, commands)
    serve(state, node, now, commands)
    state.wake_at = min(state.wake_at, next_deadline(state, now))
    return commands


def code_changed(state: CoreState, node: NodeState) -> list[Command]:
    """Try other code of a node in one worker; once that is ready it takes the place of all that there are."""
    commands: list[Command] = []
    start_worker(state, node, commands, edition=node.edition + 1)
    return commands
