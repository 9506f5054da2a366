"""What a handler gets as ``context``: the model's surroundings for as long as the worker lives, and the batch at hand.

Invariant: an ordinary mutable object that handlers may hang their own attributes on; knows nothing of calls, frames
or processes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from wfctl.handlers.metrics import MetricsRecorder

OK_STATUS = 200
SEQUENCE_ID_HEADER = "ts_request_sequence_id"


class RequestProcessor:
    """One request of a batch: its headers, and the status and headers that its response shall have."""

    __slots__ = ("_headers", "_phrase", "_response_headers", "_status")

    def __init__(self, headers: dict[str, Any]) -> None:
        self._headers = headers
        self._response_headers: dict[str, str] = {}
        self._status = OK_STATUS
        self._phrase = ""

    def get_request_property(self, key: str) -> Any:
        """Return one header of the request; names are compared as they were written."""
        return self._headers.get(key)

    def get_request_properties(self) -> dict[str, Any]:
        """Return all headers of the request."""
        return self._headers

    def report_status(self, code: int, reason_phrase: str | None = None) -> None:
        """Set the status of the response."""
        self._status = int(code)
        self._phrase = reason_phrase or ""

    def get_response_status_code(self) -> int:
        """Return the status of the response."""
        return self._status

    def get_response_status_phrase(self) -> str:
        """Return the words that go with the status."""
        return self._phrase

    def add_response_property(self, key: str, value: str) -> None:
        """Set one header of the response."""
        self._response_headers[str(key)] = str(value)

    def get_response_headers(self) -> dict[str, str]:
        """Return the headers set so far."""
        return self._response_headers

    def get_response_header(self, key: str) -> str | None:
        """Return one header set so far."""
        return self._response_headers.get(key)


class Context:
    """The second argument of every handler."""

    def __init__(
        self,
        *,
        model_name: str,
        model_dir: str,
        manifest: Mapping[str, Any] | None,
        batch_size: int,
        gpu_id: int | None = None,
        model_yaml_config: Mapping[str, Any] | None = None,
        server_version: str = "0.0",
        is_trusted: bool = True,
    ) -> None:
        self.model_name = model_name
        self.manifest = None if manifest is None else dict(manifest)
        self.model_yaml_config: dict[str, Any] = dict(model_yaml_config or {})
        self.is_trusted = is_trusted
        """Whether pickles of the archive may be loaded in full; ours, the original has no such attribute."""
        self.system_properties: dict[str, Any] = {
            "model_dir": model_dir,
            "gpu_id": gpu_id,
            "batch_size": batch_size,
            "server_name": "MMS",
            "server_version": server_version,
            "limit_max_image_pixels": True,
        }
        self.request_ids: dict[int, str] = {}
        self.request_processor: list[RequestProcessor] = []
        self.metrics = MetricsRecorder(model_name)
        self.stopping_criteria: Any = None
        self.header_key_sequence_id = SEQUENCE_ID_HEADER
        self.header_key_sequence_start = "ts_request_sequence_start"
        self.header_key_sequence_end = "ts_request_sequence_end"

    def begin_batch(self, request_ids: Sequence[str], headers: Sequence[dict[str, Any]]) -> None:
        """Forget the last batch and take the ids and headers of the next."""
        self.request_ids = dict(enumerate(request_ids))
        self.request_processor = [RequestProcessor(each) for each in headers]
        self.metrics.request_ids = self.request_ids

    def get_request_id(self, idx: int = 0) -> str | None:
        """Return the id of one request of the batch."""
        return self.request_ids.get(idx)

    def get_sequence_id(self, idx: int) -> str | None:
        """Return the id of the sequence that a request belongs to."""
        found: str | None = self.get_request_header(idx, self.header_key_sequence_id)
        return found

    def get_request_header(self, idx: int, key: str) -> Any:
        """Return one header of a request, or the type of a parameter under the parameter's name."""
        return self.request_processor[idx].get_request_property(key)

    def get_all_request_header(self, idx: int) -> dict[str, Any]:
        """Return all headers of a request."""
        return self.request_processor[idx].get_request_properties()

    def set_response_content_type(self, idx: int, value: str) -> None:
        """Say what the response of a request is."""
        self.set_response_header(idx, "content-type", value)

    def get_response_content_type(self, idx: int) -> str | None:
        """Return what was said of the response of a request."""
        return self.request_processor[idx].get_response_header("content-type")

    def set_response_header(self, idx: int, key: str, value: str) -> None:
        """Set a header of the response of a request."""
        self.request_processor[idx].add_response_property(key, value)

    def get_response_headers(self, idx: int) -> dict[str, str]:
        """Return the headers set for a request."""
        return self.request_processor[idx].get_response_headers()

    def set_response_status(self, code: int = OK_STATUS, phrase: str = "", idx: int = 0) -> None:
        """Set the status of the response of one request."""
        self.request_processor[idx].report_status(code, phrase)

    def set_all_response_status(self, code: int = OK_STATUS, phrase: str = "") -> None:
        """Set the status of every response of the batch."""
        for processor in self.request_processor:
            processor.report_status(code, phrase)

    def get_response_status(self, idx: int) -> tuple[int, str]:
        """Return the status and its words for one request."""
        processor = self.request_processor[idx]
        return processor.get_response_status_code(), processor.get_response_status_phrase()
