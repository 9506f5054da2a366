"""A real registry whose workflows have engines that say what they are told, and requests for them."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

from wfctl.engine.statistics import EngineStatistics, NodeStatistics
from wfctl.service.options import Options, request_for
from wfctl.service.registry import Registry, Served, Wish
from wfctl.web.asked import Asked
from wfctl.web.wire.http1 import RequestReader
from wfctl.web.wire.messages import Head, Limits, Response

QUIET = NodeStatistics(
    node="m1",
    queued=0,
    running=0,
    done=0,
    failed=0,
    retried=0,
    batches=0,
    sent=0,
    starting=0,
    lost=0,
    least=1,
    most=1,
    batch_time_s=0.0,
    last_failure=None,
    worker_pids=(),
)


@dataclass
class ToldEngine:
    """Says what it is told, until it is closed."""

    told: EngineStatistics = field(
        default_factory=lambda: EngineStatistics(runs=0, nodes=(QUIET,), late_answers=0, stray_answers=0)
    )
    is_open: bool = True

    def statistics(self) -> EngineStatistics:
        assert self.is_open, "an engine is asked that is closed"
        return self.told

    def say(self, *, runs: int = 0, late: int = 0, stray: int = 0, **node: object) -> None:
        self.told = EngineStatistics(runs=runs, nodes=(replace(QUIET, **node),), late_answers=late, stray_answers=stray)

    def refusal(self) -> None:
        return None


class ToldDeployment:
    """Closes its engine as a real one does: after a while."""

    def __init__(self, engine: ToldEngine) -> None:
        self.engine = engine
        self.prepared = SimpleNamespace(plan=SimpleNamespace(nodes=()))

    async def __aexit__(self, *_: object) -> None:
        self.engine.is_open = False


def add(registry: Registry, name: str, version: str = "1.0") -> ToldEngine:
    """Have the registry find one more version of a workflow, as it does with one that was opened."""
    engine = ToldEngine()
    request = request_for(Path(name), Options())
    wish = Wish(request=request, url=name, version=version)
    registry._take_in(Served(name=name, version=version, wish=wish, deployment=ToldDeployment(engine)))
    return engine


def head_of(method: str, target: str, **fields: str) -> Head:
    """The head of a request as it is read; with a method and a target that could never come, if so wanted."""
    reader = RequestReader(Limits())
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"host": "127.0.0.1", **fields}.items())
    reader.feed(f"GET / HTTP/1.1\r\n{lines}\r\n".encode("ascii"))
    head = reader.next()
    assert isinstance(head, Head)
    head.method, head.target = method, target
    return head


def asked_for(
    workflow: str = "",
    version: str | None = None,
    *,
    target: str = "/wfpredict/w",
    method: str = "POST",
    request_id: str = "id-1",
    **fields: str,
) -> Asked:
    """A request as the witnesses get it."""
    asked = Asked(head_of(method, target, **fields), request_id, 0.0)
    asked.workflow = workflow
    asked.names = {"workflow": workflow} | ({} if version is None else {"version": version})
    return asked


def answer(status: int = 200, body: bytes = b"") -> Response:
    return Response(status, body)
