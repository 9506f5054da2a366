"""What a handler gets as ``context``: the model's surroundings for as long as the worker lives, and the batch at hand.

The names with an underscore are those of the original, so that its pickles load here.
Invariant: an ordinary mutable object that handlers may hang their own attributes on; knows nothing of calls, frames
or processes.
"""

import operator
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wfctl.handlers.metrics.recorder import MetricsRecorder
from wfctl.handlers.version import __version__ as compatible_with

if TYPE_CHECKING:
    from wfctl.handlers.requests import BatchReader

OK_STATUS = 200


class RequestProcessor:
    """One request of a batch: its headers, and the status and headers that its response shall have."""

    def __init__(self, request_header: dict[str, Any]) -> None:
        self._request_header = request_header
        self._response_header: dict[str, str] = {}
        self._status_code = OK_STATUS
        self._reason_phrase: str | None = None

    def get_request_property(self, key: str) -> Any:
        """Return one header of the request; names are compared as they were written."""
        return self._request_header.get(key)

    def get_request_properties(self) -> dict[str, Any]:
        """Return all headers of the request."""
        return self._request_header

    def report_status(self, code: int | None, reason_phrase: str | None = None) -> None:
        """Set the status of the response; raises ``TypeError`` for what is no number, or no text."""
        self._status_code = OK_STATUS if code is None else operator.index(code)
        self._reason_phrase = None if reason_phrase is None else _text(reason_phrase, "the words of a status")

    def get_response_status_code(self) -> int:
        """Return the status of the response."""
        return self._status_code

    def get_response_status_phrase(self) -> str | None:
        """Return the words that go with the status, if any were set."""
        return self._reason_phrase

    def add_response_property(self, key: str, value: str) -> None:
        """Set one header of the response; raises ``TypeError`` for what is no text."""
        name = _text(key, "the name of a response header")
        self._response_header[name] = _text(value, f'response header "{name}"')

    def get_response_headers(self) -> dict[str, str]:
        """Return the headers set so far."""
        return self._response_header

    def get_response_header(self, key: str) -> str | None:
        """Return one header set so far."""
        return self._response_header.get(key)


def _text(value: Any, shown: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{shown} must be text, not {type(value).__name__}")
    return value


class Context:
    """The second argument of every handler."""

    def __init__(  # noqa: PLR0917 - the order that tests of handlers know
        self,
        model_name: str,
        model_dir: str,
        manifest: Mapping[str, Any] | None,
        batch_size: int,
        gpu_id: int | None = None,
        server_version: str = compatible_with,
        limit_max_image_pixels: bool = True,
        metrics: Any = None,
        model_yaml_config: Mapping[str, Any] | None = None,
        *,
        is_trusted: bool = True,
        reader: "BatchReader | None" = None,
    ) -> None:
        self.model_name = model_name
        self.manifest = None if manifest is None else dict(manifest)
        self.model_yaml_config: dict[str, Any] = dict(model_yaml_config or {})
        self.is_trusted = is_trusted
        """Whether pickles of the archive may be loaded in full; ours, the original has no such attribute."""
        self._system_properties: dict[str, Any] = {
            "model_dir": model_dir,
            "gpu_id": gpu_id,
            "batch_size": batch_size,
            "server_name": "MMS",
            "server_version": server_version,
            "limit_max_image_pixels": limit_max_image_pixels,
        }
        self._batch: Any = None
        """The batch at hand, as long as nobody has asked for what is made of it."""
        self._reader = reader
        self._request_ids: dict[int, str] | None = None
        self._processors: list[RequestProcessor] | None = None
        self._metrics = MetricsRecorder(model_name, self) if metrics is None else metrics
        self.cl_socket: Any = None
        """Where pieces of an answer go while requests are being answered (see ``streaming``)."""
        self.stopping_criteria: Any = None
        """Kept for handlers that set it; every answer ends its request here."""
        self.header_key_sequence_id = _header_name("id")
        self.header_key_sequence_start = _header_name("start")
        self.header_key_sequence_end = _header_name("end")

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A pickle of the original has the two under other names.
        self._batch = self._reader = None
        self._request_ids, self._processors = state.get("request_ids"), state.get("_request_processor")
        self.__dict__.update(state)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Context) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # as in the original: a mutable value

    @property
    def system_properties(self) -> dict[str, Any]:
        """Folder, device, batch size and server."""
        return self._system_properties

    @property
    def request_ids(self) -> dict[int, str] | None:
        """Place in the batch -> id; ``None`` before the first batch."""
        if self._batch is not None:
            self._open_batch()
        return self._request_ids

    @request_ids.setter
    def request_ids(self, request_ids: dict[int, str] | None) -> None:
        self._open_batch()
        self._request_ids = request_ids

    @property
    def request_processor(self) -> Any:
        """One ``RequestProcessor`` for each request of the batch; ``None`` before the first batch."""
        if self._batch is not None:
            self._open_batch()
        return self._processors

    @request_processor.setter
    def request_processor(self, request_processor: Any) -> None:
        self._open_batch()
        self._processors = request_processor

    _request_processor = request_processor

    @property
    def metrics(self) -> Any:
        """Where handlers report what they count and time."""
        return self._metrics

    @metrics.setter
    def metrics(self, metrics: Any) -> None:
        self._metrics = metrics

    def begin_batch(self, request_ids: Sequence[str], headers: Sequence[dict[str, Any]]) -> None:
        """Forget the last batch and take the ids and headers of the next."""
        self._batch = None
        self._request_ids = dict(enumerate(request_ids))
        self._processors = [RequestProcessor(each) for each in headers]

    def take_batch(self, batch: Any) -> None:
        """Do what ``begin_batch`` does, but only once a handler asks; most never do. The reader knows the batch."""
        self._batch = batch

    @property
    def is_untouched(self) -> bool:
        """Whether nobody has asked for anything of the batch at hand, so that its responses are the usual ones."""
        return self._batch is not None

    def _open_batch(self) -> None:
        batch, self._batch = self._batch, None
        if batch is not None and self._reader is not None:
            self.begin_batch(self._reader.request_ids(batch), self._reader.headers(batch))

    def get_request_id(self, idx: int = 0) -> str | None:
        """Return the id of one request of the batch."""
        return None if self.request_ids is None else self.request_ids.get(idx)

    def get_sequence_id(self, idx: int) -> str | None:
        """Return the id of the sequence that a request belongs to."""
        found: str | None = self.get_request_header(idx, self.header_key_sequence_id)
        return found

    def get_request_header(self, idx: int, key: str) -> Any:
        """Return one header of a request, or the type of a parameter under the parameter's name."""
        return self.request_processor[idx].get_request_property(key)

    def get_all_request_header(self, idx: int) -> dict[str, Any]:
        """Return all headers of a request."""
        found: dict[str, Any] = self.request_processor[idx].get_request_properties()
        return found

    def set_response_content_type(self, idx: int, value: str) -> None:
        """Say what the response of a request is."""
        self.set_response_header(idx, "content-type", value)

    def get_response_content_type(self, idx: int) -> str | None:
        """Return what was said of the response of a request."""
        return self.get_response_headers(idx).get("content-type")

    def set_response_header(self, idx: int, key: str, value: str) -> None:
        """Set a header of the response of a request."""
        self.request_processor[idx].add_response_property(key, value)

    def get_response_headers(self, idx: int) -> dict[str, str]:
        """Return the headers set for a request."""
        found: dict[str, str] = self.request_processor[idx].get_response_headers()
        return found

    def set_response_status(self, code: int = OK_STATUS, phrase: str = "", idx: int = 0) -> None:
        """Set the status of the response of one request; does nothing where there are no requests."""
        if self.request_processor is not None:
            self.request_processor[idx].report_status(code, phrase)

    def set_all_response_status(self, code: int = OK_STATUS, phrase: str = "") -> None:
        """Set the status of every response of the batch."""
        for processor in self.request_processor or ():
            processor.report_status(code, phrase)

    def get_response_status(self, idx: int) -> tuple[int, str | None]:
        """Return the status and its words for one request."""
        processor: RequestProcessor = self.request_processor[idx]
        return processor.get_response_status_code(), processor.get_response_status_phrase()


def _header_name(part: str) -> str:
    """Return the header that carries a sequence's id, start or end; the server's settings may rename it."""
    name = f"ts_request_sequence_{part}"
    return os.environ.get(name.upper(), name)
