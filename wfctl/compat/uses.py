"""What the code of handlers does that TorchServe answers to in another way than we do.

Invariant: a row stands on a piece of the text; what a value is at run time is guessed nowhere.
"""

import ast
from collections.abc import Iterator

from wfctl.compat.found import found
from wfctl.compat.model import Code, Row
from wfctl.compat.python_file import PythonFile, Use, dotted, last_name, literal

_OK, _FIRST_ERROR, _FIRST_SERVER_ERROR = 200, 400, 500
_STATUS_CALLS = frozenset({"set_response_status", "set_all_response_status", "report_status"})
_HEADER_CALLS = frozenset({"set_response_header", "set_response_content_type", "add_response_property"})
_SEQUENCES = frozenset({"get_sequence_id", "header_key_sequence_id", "header_key_sequence_start"})
_PROCESSES = frozenset({"os.fork", "os.forkpty", "subprocess.Popen"})
_PROCESS_CLASSES = frozenset({"Process", "Pool", "ProcessPoolExecutor"})
_PROCESS_LIBRARIES = ("multiprocessing", "torch.multiprocessing", "concurrent.futures")
_WRITING = frozenset("wax")


def status(code: Code) -> Iterator[Row]:
    """Tell what becomes of a status that the handler sets for a request."""
    for file, use in _calls(code):
        if last_name(use.called) not in _STATUS_CALLS:
            continue
        written = use.argument(0, "code")
        given = _OK if written is None else literal(written)
        if isinstance(given, int) and given < _FIRST_ERROR:
            yield from _kept(code, file, use) if given != _OK else ()
        else:
            words = (
                "TorchServe ignores a status inside a workflow and hands the body on as data;"
                " here a status of 400 or more fails the node, and the client gets it"
            )
            yield found("WF924", words, file, use, code)


def headers(code: Code) -> Iterator[Row]:
    """Tell what becomes of headers and content types, where the node may be the one that answers."""
    for file, use in _calls(code):
        if last_name(use.called) in _HEADER_CALLS:
            yield from _kept(code, file, use)


def _kept(code: Code, file: PythonFile, use: Use) -> Iterator[Row]:
    node = code.node_at(use.function)
    if node is None or node.is_leaf:
        words = (
            "TorchServe answers a workflow with 200 and application/json whatever its handlers set;"
            " here status, content type and headers of the last node reach the client"
        )
        yield found("WF925", words, file, use, code)


def pieces(code: Code) -> Iterator[Row]:
    """Tell what becomes of an answer that is sent in pieces."""
    for file, use in _calls(code):
        is_socket = last_name(use.called) == "sendall" and "cl_socket" in dotted(use.called)
        if last_name(use.called) == "send_intermediate_predict_response" or is_socket:
            words = (
                "TorchServe takes only the first piece of an answer inside a workflow;"
                " here all pieces and what the handler returns are joined"
            )
            yield found("WF926", words, file, use, code)


def refusals(code: Code) -> Iterator[Row]:
    """Tell what a client sees of the exception for refusals."""
    for file in code.files:
        for use in file.raised:
            if last_name(use.called) == "PredictionException":
                yield found("WF927", _refusal(use), file, use, code)


def _refusal(use: Use) -> str:
    given = literal(use.argument(1, "error_code"))
    theirs = 'TorchServe uses up the tries of the node, then answers 500 "Error executing" and its name'
    if isinstance(given, int) and _FIRST_ERROR <= given < _FIRST_SERVER_ERROR:
        return f"{theirs}; here the client gets {given} and the handler's words at once"
    return f"{theirs}; here the client gets the handler's code and words, and a code below 500 is not tried again"


def server_features(code: Code) -> Iterator[Row]:
    """Tell what a handler wants of the server and there is not."""
    for file in code.files:
        for use in file.attributes:
            name = last_name(use.tree)
            if name == "stopping_criteria" and isinstance(getattr(use.tree, "ctx", None), ast.Store):
                words = "TorchServe can ask stopping_criteria whether a request goes on; here one answer ends it"
                yield found("WF923", words, file, use, code, remedy="answer each request in one call")
            elif name in _SEQUENCES:
                words = "TorchServe can keep the requests of a sequence at one worker; here they may reach any"
                yield found("WF923", words, file, use, code, remedy="keep what a sequence needs outside of the worker")


def sleeps(code: Code) -> Iterator[Row]:
    """Tell of a sleep that is longer than a try may take."""
    for file, use in _calls(code):
        seconds = literal(use.argument(0))
        node = code.node_at(use.function)
        is_sleep = dotted(use.called) in {"time.sleep", "sleep"}
        if node is None or not is_sleep or not isinstance(seconds, int | float):
            continue
        limit, tries = node.settings.timeout_ms, node.settings.retry_attempts + 1
        if seconds * 1000 > limit:
            words = (
                f"TorchServe gives up after {tries} x {limit} ms with 500 and its worker sleeps on;"
                " here the node fails with its deadline exceeded, and a worker that sleeps on is replaced"
            )
            yield found("WF929", words, file, use, code, remedy=f"raise timeout-ms above {round(seconds * 1000)}")


def processes(code: Code) -> Iterator[Row]:
    """Tell what becomes of processes that a handler starts."""
    for file, use in _calls(code):
        name = dotted(use.called)
        if name in _PROCESSES or (_makes_process(name) and _has_process_library(file)):
            words = (
                "TorchServe ends a worker and leaves alone what it started;"
                " here that ends too, with the worker or at the latest with the workflow"
            )
            yield found("WF931", words, file, use, code)


def _makes_process(name: str) -> bool:
    """Whether a call may start a process; psutil only looks at those there are."""
    return name.rpartition(".")[2] in _PROCESS_CLASSES and not name.startswith("psutil.")


def _has_process_library(file: PythonFile) -> bool:
    return any(each.module.startswith(_PROCESS_LIBRARIES) for each in file.imports)


def written_files(code: Code) -> Iterator[Row]:
    """Tell what becomes of files that are written into the model's folder."""
    if code.is_folder:
        return  # used in place, there and here
    for file, use in _calls(code):
        if _is_in_model_folder(_written(use)):
            words = (
                "TorchServe keeps what is written into the folder of a model until that is unregistered, and of a"
                " workflow for good; here the folder is removed when the workflow is closed"
            )
            yield found("WF932", words, file, use, code, remedy="write what shall last to a folder of its own")


def _written(use: Use) -> ast.expr | None:
    """Return the path that a call writes to; ``None`` if it writes nothing."""
    name = last_name(use.called)
    if name in {"write_text", "write_bytes"} and isinstance(use.called, ast.Attribute):
        return use.called.value
    if dotted(use.called) == "torch.save":
        return use.argument(1, "f")
    mode = literal(use.argument(1, "mode"))
    is_writing = name == "open" and isinstance(mode, str) and bool(_WRITING & set(mode))
    return use.argument(0, "file") if is_writing else None


def _is_in_model_folder(target: ast.expr | None) -> bool:
    path = literal(target)
    if isinstance(path, str):
        return not path.startswith(("/", "~"))
    return target is not None and any(
        last_name(each) == "model_dir" or literal(each) == "model_dir" for each in ast.walk(target)
    )


def unpickling(code: Code) -> Iterator[Row]:
    """Tell on what terms a handler's own ``torch.load`` takes more than weights."""
    if code.holds_weights_only:
        return
    for file, use in _calls(code):
        if dotted(use.called) == "torch.load" and use.argument(-1, "weights_only") is None:
            yield found("WF933", LOAD_WORDS, file, use, code, remedy=LOAD_REMEDY)


LOAD_WORDS = (
    "TorchServe leaves it to torch whether torch.load takes more than weights (from 2.6 on it does not);"
    " here it does, where the archive is trusted"
)
LOAD_REMEDY = "nothing to do for archives on this machine; one that is fetched needs --trust or its sha256"


def _calls(code: Code) -> Iterator[tuple[PythonFile, Use]]:
    for file in code.files:
        yield from ((file, use) for use in file.calls)
