"""One node's user code, loaded and ready to answer batches of calls.

Invariant: knows nothing of processes, sockets or the engine's decisions; one ``Host`` is used by one thread.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic_ns
from typing import Any

from wfctl.engine.call import TAG, Call, CallAnswer, CallError, Pieces
from wfctl.errors import ArchiveError, LoadError
from wfctl.handlers.context import OK_STATUS, Context, RequestProcessor
from wfctl.handlers.metrics.caching_metric import Gauge
from wfctl.handlers.metrics.recorder import PREDICTION_METRIC, MetricsRecorder
from wfctl.handlers.streaming import STREAM_HEADER, IntermediateResponses
from wfctl.hosting.bodies import BodyMaker
from wfctl.hosting.device_advice import told_of_gpus
from wfctl.hosting.entry_point import Entry, load_entry
from wfctl.hosting.failures import UNAVAILABLE, last_line_of, verdict_on
from wfctl.hosting.inputs import ValueReader, headers_of, row_of, row_or_refusal
from wfctl.hosting.malformed import MalformedInputError
from wfctl.hosting.objects import to_body
from wfctl.hosting.outputs import UnsupportedOutputError, complaint_about, to_bytes
from wfctl.hosting.real_ts import import_real_ts
from wfctl.hosting.ts_advice import advised
from wfctl.hosting.ts_alias import install_ts_alias, remove_ts_alias
from wfctl.plan import NodePlan

_FIRST_ERROR_STATUS, _CLIENT_ERRORS = 400, range(400, 500)
_STATUSES = range(200, 1000)
"""What a response can be in HTTP. Below are those that only announce one; and 0, by which workers mean "not begun"."""
_LONGEST_PHRASE = 1000
"""Bytes of an answer that stand in for the words of its status."""


def load_host(node: NodePlan, *, gpu_id: int | None = None) -> "Host":
    """Load a node's code in this interpreter; raises ``LoadError``, never what user code raised.

    The caller has set working directory and import path (``place.enter_model_dir`` in a worker of its own).
    """
    if node.code.uses_real_ts:
        remove_ts_alias()
        import_real_ts(node)
    else:
        install_ts_alias()
    context = Context(
        model_name=node.model_name,
        model_dir=node.code.model_dir,
        manifest=node.code.manifest,
        batch_size=node.settings.batch_size,
        gpu_id=gpu_id,
        limit_max_image_pixels=node.code.limit_max_image_pixels,
        model_yaml_config=_configuration(node),
        is_trusted=node.code.is_trusted,
        reader=_CallReader(),
    )
    try:
        entry = load_entry(node, context)
    except LoadError as error:
        raise told_of_gpus(advised(error)) from error.__cause__
    bodies = BodyMaker(node.name, to_body if node.gives_objects else to_bytes)
    if node.takes_objects:
        return ObjectHost(entry, context, bodies, ValueReader(node))
    return Host(entry, context, bodies)


class _CallReader:
    """Says of calls what the context of their handler is asked for."""

    def request_ids(self, batch: Sequence[Call]) -> list[str]:
        """Return the id of each call."""
        return [call.request_id for call in batch]

    def headers(self, batch: Sequence[Call]) -> list[dict[str, Any]]:
        """Return the headers of each call."""
        return [headers_of(call) for call in batch]


class Host:
    """A loaded node."""

    def __init__(self, entry: Entry, context: Context, bodies: BodyMaker) -> None:
        self._entry = entry
        self._context = context
        self._body = bodies.of
        self._pieces = IntermediateResponses(to_bytes, context)
        self._timed: Any = None
        """The metrics that hold ``_time``; handlers may put others in their place."""
        self._time = Gauge()

    @property
    def metrics(self) -> Any:
        """What the handler reports to; handlers may have put anything there."""
        return self._context.metrics

    def answer(self, calls: Sequence[Call]) -> list[CallAnswer]:
        """Call the handler once for the whole batch and return one answer per call, in the same order."""
        try:
            rows = list(map(row_of, calls))
        except MalformedInputError:
            return self._answered_where_read(calls, list(map(row_or_refusal, calls)))
        return self._answered(calls, rows)

    def _answered_where_read(self, calls: Sequence[Call], read: list[dict[str, Any] | CallError]) -> list[CallAnswer]:
        """Call the handler once for all calls that have a row; the others fail by themselves."""
        good = [(call, row) for call, row in zip(calls, read, strict=True) if not isinstance(row, CallError)]
        answers = self._answered([call for call, _ in good], [row for _, row in good]) if good else []
        started_ns, finished_ns = (answers[0].started_ns, answers[0].finished_ns) if answers else (0, 0)
        if len(answers) == 1 and answers[0].error is not None:
            answers[0].error.is_of_batch = False  # it had the handler to itself
        ahead = iter(answers)
        return [
            _failed(call, row, started_ns, finished_ns) if isinstance(row, CallError) else next(ahead)
            for call, row in zip(calls, read, strict=True)
        ]

    def _answered(self, calls: Sequence[Call], rows: list[dict[str, Any]]) -> list[CallAnswer]:
        context, pieces = self._context, self._pieces
        context.take_batch(calls)
        context.cl_socket = pieces
        started_ns = monotonic_ns()
        outputs, error = self._called(rows)
        finished_ns = monotonic_ns()
        if error is None and (complaint := complaint_about(outputs, len(calls))):
            error = CallError(complaint[0], status=UNAVAILABLE, traceback_text=complaint[1], is_of_batch=True)
        if error is not None:
            pieces.begin()
            return [_failed(call, error, started_ns, finished_ns) for call in calls]
        if self._timed is context.metrics:
            self._time.value = (finished_ns - started_ns) / 1e6
        else:
            self._record((finished_ns - started_ns) / 1e6)
        if context.is_untouched and pieces.is_empty:  # the usual case
            body = self._body
            if len(calls) == 1:
                return [_plain(calls[0], outputs[0], body, started_ns, finished_ns)]
            return [
                _plain(call, output, body, started_ns, finished_ns) for call, output in zip(calls, outputs, strict=True)
            ]
        answers = [self._answer(call, outputs[at], at) for at, call in enumerate(calls)]
        pieces.begin()
        for each in answers:
            each.started_ns, each.finished_ns = started_ns, finished_ns
        return answers

    def _record(self, took_ms: float) -> None:
        """Report the time of a batch, and find out where it is kept, so that the next goes there directly."""
        metrics = self._context.metrics
        metrics.add_time(PREDICTION_METRIC, took_ms)
        kept = metrics.usual(PREDICTION_METRIC) if type(metrics) is MetricsRecorder else None
        if isinstance(kept, Gauge):
            self._timed, self._time = metrics, kept

    def _answer(self, call: Call, output: Any, at: int) -> CallAnswer:
        processor = self._context.request_processor[at]
        if at not in self._pieces:
            return _answer(call, output, processor, self._body)
        processor.get_response_headers().pop(STREAM_HEADER, None)
        return _answer(call, output, processor, self._body, before=self._pieces.before(at))

    def _called(self, rows: list[dict[str, Any]]) -> tuple[Any, CallError | None]:
        # A handler may raise anything, `sys.exit` included; only the keyboard interrupts of an inline run are ours.
        try:
            return self._entry(rows, self._context), None
        except KeyboardInterrupt:
            raise
        except UnsupportedOutputError as reason:  # of a piece that the handler sent
            error = _unsupported(reason)
        except BaseException as reason:  # noqa: BLE001
            error = verdict_on(reason)
        error.is_of_batch = True
        return None, error


class ObjectHost(Host):
    """A loaded node whose parents send values; a call whose values cannot be rebuilt here fails alone."""

    def __init__(self, entry: Entry, context: Context, bodies: BodyMaker, reader: ValueReader) -> None:
        super().__init__(entry, context, bodies)
        self._reader = reader

    def answer(self, calls: Sequence[Call]) -> list[CallAnswer]:
        """Rebuild the values and call the handler once for all calls that have theirs."""
        read = [row_or_refusal(call) if call.stands_alone else self._reader.row_of(call) for call in calls]
        return self._answered_where_read(calls, read)


def _plain(
    call: Call, output: Any, body_of: Callable[[Call, Any], bytes | Pieces], started_ns: int, finished_ns: int
) -> CallAnswer:
    try:
        body = body_of(call, output)
    except UnsupportedOutputError as reason:
        return _failed(call, _unsupported(reason), started_ns, finished_ns)
    answer = CallAnswer(call.call_id, OK_STATUS, body, started_ns, finished_ns)
    return _tagged(answer, call) if call.form else answer


def _tagged(answer: CallAnswer, call: Call) -> CallAnswer:
    """Send along what the input calls itself, if it does."""
    if call.face and call.tag is not None:
        answer.headers = {**(answer.headers or {}), TAG: call.tag}
    return answer


def _answer(
    call: Call,
    output: Any,
    processor: RequestProcessor,
    body_of: Callable[[Call, Any], bytes | Pieces],
    *,
    before: bytes = b"",
) -> CallAnswer:
    try:
        whole = before + to_bytes(output) if before else output
        body = body_of(call, whole)
    except UnsupportedOutputError as reason:
        return _failed(call, _unsupported(reason))
    status = processor.get_response_status_code()
    if status not in _STATUSES:
        return _failed(call, CallError(f"the handler set status {status}, which no response has", status=UNAVAILABLE))
    if status >= _FIRST_ERROR_STATUS:
        # The handler's own words, also where the answer would have to be JSON.
        phrase = processor.get_response_status_phrase() or _words_of(whole) or f"status {status}"
        return _failed(call, CallError(phrase, status=status, is_final=status in _CLIENT_ERRORS))
    headers = processor.get_response_headers()
    if not headers and not call.form:  # the usual case, on the path of every call
        return CallAnswer(call.call_id, status, body)
    content_type = next((value for key, value in headers.items() if key.lower() == "content-type"), None)
    answer = CallAnswer(call.call_id, status, body, content_type=content_type, headers=headers)
    return _tagged(answer, call) if call.form else answer


def _words_of(output: Any) -> str:
    try:
        return to_bytes(output)[:_LONGEST_PHRASE].decode("utf-8", "replace")
    except UnsupportedOutputError:
        return ""


def _unsupported(reason: UnsupportedOutputError) -> CallError:
    message = "Unsupported model output data type."
    return CallError(message, status=UNAVAILABLE, traceback_text=str(reason))


def _failed(call: Call, error: CallError, started_ns: int = 0, finished_ns: int = 0) -> CallAnswer:
    return CallAnswer(call.call_id, error.status, b"", started_ns, finished_ns, error=error)


def _configuration(node: NodePlan) -> Mapping[str, Any]:
    name = node.code.config_file
    if name is None:
        return {}
    # Imported here: most models have no configuration, and their workers do without a YAML reader.
    from wfctl.spec.source import read_mapping

    path = Path(node.code.model_dir, name)
    try:
        return read_mapping(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, ArchiveError) as reason:
        words = reason.message if isinstance(reason, ArchiveError) else last_line_of(reason)
        raise LoadError(
            f'node "{node.name}" failed to load: its configuration "{name}" cannot be read: {words}', node=node.name
        ) from reason
