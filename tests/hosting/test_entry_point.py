import sys
from pathlib import Path

import pytest
from hosted_nodes import call

from wfctl.errors import LoadError
from wfctl.workflow import NodeKind

ECHO = "    return data and ['{}'] * len(data)\n"
FUNCTION = {"kind": NodeKind.FUNCTION, "manifest": None}


def answer_of(loaded):
    (answer,) = loaded.answer([call()])
    assert answer.error is None, answer.error.traceback_text
    return answer.body.decode()


def test_a_module_function_named_handle_is_found(host):
    assert answer_of(host("def handle(data, context):\n" + ECHO.format("module"))) == "module"


@pytest.mark.parametrize("handler", ["serve:predict", "serve.py:predict", "/some/where/serve.py:predict"])
def test_a_function_named_after_the_colon_is_found(host, handler):
    assert answer_of(host("def predict(data, context):\n" + ECHO.format("named"), handler, file="serve.py")) == "named"


@pytest.mark.parametrize("stem", ["pred-err", "2nd try", "class", "queue", "json"])
def test_a_file_needs_no_name_that_python_would_accept_or_does_not_use_itself(host, stem):
    import json
    import queue

    assert answer_of(host("def handle(data, context):\n" + ECHO.format(stem), f"{stem}.py")) == stem
    assert sys.modules["queue"] is queue
    assert sys.modules["json"] is json


def test_the_one_class_defined_in_the_module_is_found_and_imported_ones_do_not_count(host):
    loaded = host("""
from collections import OrderedDict
from pathlib import Path
class Settings: pass
class Mine:
    def initialize(self, context): self.word = context.model_name
    def handle(self, data, context): return [self.word]
""")
    assert answer_of(loaded) == "flow__node"


def test_a_class_without_initialize_is_used_as_it_is(host):
    assert answer_of(host("class Mine:\n    def handle(self, data, context): return ['plain']\n")) == "plain"


def test_two_handler_classes_are_refused_by_name(host):
    with pytest.raises(LoadError) as caught:
        host("class A:\n    def handle(self, d, c): pass\nclass B:\n    def handle(self, d, c): pass\n")
    assert caught.value.node == "node"
    assert '"A", "B"' in caught.value.message


def test_a_module_with_neither_says_what_was_looked_for(host):
    with pytest.raises(
        LoadError, match='no function "handle" and not exactly one class with a handle method'
    ) as caught:
        host("def predict(data, context): pass\n")
    assert 'define "handle(data, context)"' in caught.value.hint


def test_a_function_node_is_the_function_of_its_name(host):
    text = "def pre(data, context):\n" + ECHO.format("pre") + "def post(data, context):\n" + ECHO.format("post")
    assert answer_of(host(text, name="post", **FUNCTION)) == "post"


def test_a_function_node_falls_back_to_the_only_class(host):
    text = "class Node:\n    def handle(self, data, context): return ['class']\n"
    assert answer_of(host(text, name="post", **FUNCTION)) == "class"


def test_functions_are_called_once_with_none_at_load(host):
    loaded = host("""
calls = []
def handle(data, context):
    calls.append(data is None)
    return data and [repr(calls)]
""")
    assert answer_of(loaded) == "[True, False]"


def test_a_function_that_does_not_guard_none_is_loaded_all_the_same(host, capfd):
    loaded = host("def pre(data, context):\n    return [data[0]['body']]\n", name="pre", **FUNCTION)
    assert answer_of(loaded) == "x"
    told = capfd.readouterr().err
    assert "pre(None, context) raised TypeError" in told
    assert "if data is None" in told


def test_a_function_node_may_refuse_none_on_purpose(host):
    text = "def pre(data, context):\n    if not data: raise ValueError('empty')\n    return ['fine']\n"
    assert answer_of(host(text, name="pre", **FUNCTION)) == "fine"


def test_a_model_function_whose_weights_are_missing_fails_the_load(host):
    with pytest.raises(LoadError) as caught:
        host("def handle(data, context):\n    open('weights.pt')\n")
    assert caught.value.message.startswith('node "node" failed to load: FileNotFoundError:')
    assert caught.value.traceback_text.splitlines()[1].endswith('handler.py", line 2, in handle')


def test_a_missing_dependency_is_the_error_reported(host):
    with pytest.raises(LoadError, match="No module named 'absent_library'") as caught:
        host("import absent_library\n")
    assert caught.value.traceback_text.splitlines()[1].endswith('handler.py", line 1, in <module>')


def test_a_syntax_error_is_shown_with_its_line(host):
    with pytest.raises(LoadError, match="SyntaxError") as caught:
        host("def handle(data, context:\n    pass\n")
    assert "def handle(data, context:" in caught.value.traceback_text


def test_leaving_the_process_at_import_is_a_failed_load(host):
    with pytest.raises(LoadError, match="SystemExit: 4"):
        host("import sys\nsys.exit(4)\n")


def test_running_out_of_memory_is_named(host):
    with pytest.raises(LoadError, match="System out of memory"):
        host(
            "class H:\n    def initialize(self, c): raise RuntimeError('CUDA out of memory')\n    def handle(self, d, c): pass\n"
        )


def test_a_built_in_of_a_vendor_is_named_with_what_to_use_instead(host):
    with pytest.raises(LoadError, match=r'handler "vllm_handler" of node "node" is built into TorchServe') as caught:
        host("", "vllm_handler")
    assert "call vLLM's own LLM class in a handler of your own" in str(caught.value.hint)


def test_a_handler_that_is_not_in_the_archive_is_named(host):
    with pytest.raises(LoadError, match=r'handler "other\.py" of node "node" is not in its archive') as caught:
        host("", "other.py", file="handler.py")
    assert "base_handler" in caught.value.hint


def test_a_function_of_the_wrong_arity_is_refused_before_it_is_called(host):
    with pytest.raises(LoadError, match=r'function "pre" of node "pre" cannot be called with \(data, context\)'):
        host("def pre(data): pass\n", name="pre", **FUNCTION)


def test_an_archive_module_beats_the_built_in_of_its_name(host):
    text = "class BaseHandler:\n    def handle(self, data, context): return ['archive']\n"
    assert answer_of(host(text, "base_handler.py")) == "archive"


def test_a_handler_imports_the_modules_beside_it(host, tmp_path: Path):
    (tmp_path / "beside.py").write_text("WORD = 'beside'\n", encoding="utf-8")
    assert answer_of(host("from beside import WORD\ndef handle(d, c): return d and [WORD]\n")) == "beside"


def test_a_second_name_of_a_class_does_not_make_it_two(host):
    text = "class Mine:\n    def handle(self, data, context): return ['one']\nService = Mine\n"
    assert answer_of(host(text)) == "one"


def test_a_class_named_after_the_colon_is_the_handler(host):
    text = "".join(f"class {name}:\n    def handle(self, d, c): return ['{name}']\n" for name in ("A", "B"))
    assert answer_of(host(text, "serve.py:B", file="serve.py")) == "B"


def test_an_abstract_class_beside_the_handler_does_not_count(host):
    assert (
        answer_of(
            host("""
from abc import ABC, abstractmethod
class Base(ABC):
    @abstractmethod
    def word(self): ...
    def handle(self, data, context): return [self.word()]
class Mine(Base):
    def word(self): return 'mine'
""")
        )
        == "mine"
    )


def test_a_handle_method_may_be_put_there_by_the_constructor(host):
    assert (
        answer_of(host("class Mine:\n    def __init__(self):\n        self.handle = lambda data, context: ['made']\n"))
        == "made"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("def hanlde(data, context): return data\n", '"hanlde"'),
        (
            "import abc\nclass Mine(abc.ABC):\n    @abc.abstractmethod\n    def handle(self, d, c): ...\n",
            '"Mine" (abstract)',
        ),
        ("class A:\n    def handle(self, data, context): ...\nclass B(A): ...\nclass C: ...\n", '"A", "B"'),
        ("from json import JSONDecoder, loads\nlimit = 3\n", "neither classes nor functions"),
    ],
    ids=["misspelt", "abstract", "several", "none"],
)
def test_what_a_handler_without_an_entry_point_defines_is_named(host, text, shown):
    with pytest.raises(LoadError) as caught:
        host(text)
    assert caught.value.message == (
        'handler "handler.py" of node "node" has no function "handle" and not exactly one class with a handle method; '
        f"it defines {shown}"
    )


def test_a_class_without_a_handle_method_is_refused(host):
    with pytest.raises(LoadError, match='class "Mine" of node "node" has no handle method'):
        host("class Mine:\n    def predict(self, data): pass\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("async def handle(data, context): return ['x']\n", 'function "handle"'),
        ("async def handle(data, context):\n    yield 'x'\n", 'function "handle"'),
        ("class Mine:\n    async def handle(self, data, context): return ['x']\n", 'method "Mine.handle"'),
        (
            "class Mine:\n    async def __call__(self, data, context): return ['x']\nhandle = Mine()\n",
            'function "node"',
        ),
        ("import functools\nasync def f(k, data, context): ...\nhandle = functools.partial(f, 1)\n", 'function "node"'),
    ],
    ids=["function", "generator", "method", "object", "partial"],
)
def test_what_would_have_to_be_awaited_is_refused(host, text, shown):
    with pytest.raises(LoadError, match="is async; a handler is called, and not awaited") as caught:
        host(text)
    assert caught.value.message.startswith(shown)
    assert "asyncio.run" in caught.value.hint


def test_a_plain_function_around_an_async_one_is_fine(host):
    assert (
        answer_of(
            host("""
import asyncio, functools
async def inner(data, context): return data and ['awaited']
@functools.wraps(inner)
def handle(data, context): return asyncio.run(inner(data, context))
""")
        )
        == "awaited"
    )


def test_memory_that_runs_out_at_load_is_told_with_what_was_raised(host):
    with pytest.raises(LoadError) as caught:
        host("def handle(data, context): raise RuntimeError('CUDA error: no device')\n")
    assert caught.value.message == (
        'node "node" failed to load: System out of memory (RuntimeError: CUDA error: no device)'
    )


def test_an_error_that_only_speaks_of_a_device_is_not_called_memory(host):
    with pytest.raises(LoadError, match="failed to load: AssertionError: Torch not compiled with CUDA enabled"):
        host("def handle(data, context): assert False, 'Torch not compiled with CUDA enabled'\n")
