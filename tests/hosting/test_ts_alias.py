import subprocess
import sys

import pytest
from hosted_nodes import call

from wfctl.hosting.ts_alias import install_ts_alias


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_ours_and_theirs_are_one_class():
    install_ts_alias()
    from ts.context import Context as TheirContext
    from ts.torch_handler import base_handler
    from ts.torch_handler.base_handler import BaseHandler as TheirHandler

    from wfctl.handlers.base_handler import BaseHandler
    from wfctl.handlers.context import Context

    assert TheirHandler is BaseHandler
    assert base_handler.BaseHandler is BaseHandler
    assert TheirContext is Context


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("ts.utils.util", "PredictionException"),
        ("ts.utils.util", "list_classes_from_module"),
        ("ts.utils.util", "load_label_mapping"),
        ("ts.utils.util", "map_class_to_label"),
        ("ts.service", "PredictionException"),
        ("ts.handler_utils.timer", "timed"),
        ("ts", "__version__"),
    ],
)
def test_names_that_handlers_use_are_there(module, name):
    install_ts_alias()
    scope: dict = {}
    exec(f"from {module} import {name}", scope)
    assert scope[name]


def test_an_unknown_name_says_what_is_supported():
    install_ts_alias()
    with pytest.raises(ImportError, match=r'"ts.nothing" is not supported by wfctl; supported are ts.context, '):
        import ts.nothing  # noqa: F401


def test_names_that_need_no_torch_do_not_bring_it():
    code = """
import sys
from wfctl.hosting.ts_alias import install_ts_alias
install_ts_alias()
import ts.context, ts.utils.util, ts.service, ts.handler_utils.timer
print('torch' in sys.modules)
"""
    assert run_python(code) == "False"


def test_hosting_itself_is_light():
    code = """
import sys
import wfctl.hosting.host, wfctl.hosting.place
heavy = {'torch', 'numpy', 'yaml', 'click', 'rich', 'jsonschema', 'asyncio'}
print(sorted(heavy & set(sys.modules)))
"""
    assert run_python(code) == "[]"


def test_installing_twice_leaves_one_finder():
    install_ts_alias()
    before = list(sys.meta_path)
    install_ts_alias()
    assert sys.meta_path == before


def test_a_handler_may_be_a_subclass_under_the_foreign_name(host):
    loaded = host("""
from ts.torch_handler.base_handler import BaseHandler
from ts.handler_utils.timer import timed
class Sums(BaseHandler):
    def initialize(self, context):
        self.context = context
        self.model_yaml_config = context.model_yaml_config
    @timed
    def preprocess(self, data): return [len(row["body"]) for row in data]
    def inference(self, data): return [each * 10 for each in data]
    def postprocess(self, data): return data
""")
    (answer,) = loaded.answer([call()])
    assert answer.body == b"10"
