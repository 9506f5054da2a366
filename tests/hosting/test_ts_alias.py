import importlib
import pickle
import subprocess
import sys
from base64 import b85decode

import pytest
from hosted_nodes import call

from wfctl.hosting.ts_alias import TsFinder, install_ts_alias, remove_ts_alias

# Pickled by TorchServe 0.12.0 itself, protocol 2: what handlers of the original have left on disk.
CONTEXT = (
    "fC6K5b1q|VZggdMbP7XnZggdMbP90*DS>eTeQ^RPSPB3D0Bvt%Wo%z=VQpn`16TzB003=nX>)XO1Xu_F003=aZfRy^b98Y9eQ^d@1poj5ZEs{{"
    "Y;gyDaR^um0001OZ)9a`PGN0jaS3Pyb8}b{0001Ab9r-gWo=(@a&K^Da&&2Bb8!lNaSJF|2><{9ZEs{{Y+qz)a&Zh;4FCWDFKusRWo&aVZEk6E"
    "ba4$>1^@s6XK;02X=HH@PFM;6003fPbYo~=b7^{IaSuxbSPK9E0CQz>c4cy3ZeeX@aS&Jo0000@O;d3ZSPlRH0CQz>c4cy3c4cyNX>V?E5?BTR"
    "001y9F)}VNaT8b;0001NX>DnAUu|J{UukV&XJub-X?SI9b8!@ibyy1k0044jadl;LbYE#?b8!`YaTZGeSOEY40AX<#b664p003WdWpQ<7b97&D"
    "a&Kd0b8~NUaTr~38Dn&FE@N+QbY*yS3Q}cpb!BsOP;zf$Wpi_Hatd)8DS>eteQ_KpSPTFF0AF)-VRUtKUt@1%WpN!#$yg2m003WdWnpt~ZeMU{"
    "a$$32aUNI%0001OVPs`-A6O6o003WdWpi+EZgXW{Xk}q!WpZ&KeQ_aJ0RR91NO2-q0RR91c5x$fSPuXI0AF%tadl;LbYEy?VPs`;aU^|lC0GFf"
    "003BVCRhOg001#@Cv$aTVOR(N003WYWpr|BV{>sRPFNQJ003WXX>DnAUu|J{UukV&XJub-X?SI9b8#t%SP=jK0Bvt%Wo%!0VQp+*V{dL|X=iaN"
    "eQ_&T2LJ#7Xkl(-Y-MtBEPZh;SO)+A0B~||W@&6?aW05+b661o0047zZ*XvFZf9R(a%psBa%o|4FHTq%0001JWnpAxa$jp@d0%s7adl;GV`X1y"
    "WN|Q9761SMbaP*FWpQ<7b97&GWpQ<7ZewL%X=HIRSQ!8S0BB`lWMy(+Yh`&~b7gULWo~0-UvqR}a&&PrSQ!8S0CaO-a%FLKWpi|2b7gULWo~0-"
    "UvqR}a&&PsSQh{Q0BB`lWMy(+Yh`&~b7gULWo~0-UuAA&aWq&L0001Vb6;|0adl;LbYF92adl;GV`X1uZe(#abz&|"
)
EXCEPTION = (
    "fC6K5b1rpsX>4;Yb#!TL3Q%%oWNBk`X>V>tcw=R7bZKvH3UL5f2mk;8Zf_uIZDD6+aRG&K0#b1UeQ^XRSO)+A0BvP+b75y?aRq1rSPB3D0A+G="
    "Z*pH_Z)9b022GFwbz&|"
)
HANDLER = (
    "fC6K5b1rmma${&;Xkl(-Y-MsTVqtS-Uua=&WNc+}3PNFXWk_LeWNc+}3UL4_fpGzSaRMk<1poj5ZEs{{Y;gllSO)+A0BvD#aA|I5aRg3S1^@s6"
    "WMy_~V`Xs#PFM>7003!jX>@5}Y-xIBWN`+FSO)+A0Ap`%bY*ySaR*LV4FCWDZEs{{Y+rD6UvOb`XmJQmSO@?B0BvDzX=Y_}ba4qzSPTFF0BvD#"
    "Uu<t<VRUJ4ZgC1uSO)+A0A+Y^Y+-3`aSMr91^@s6bYXI5Wpr^2O8{660001Ra&Km7Y-Ms^VRC14aSeTO4s~KK"
)
METRIC = (
    "fC6K5b1rRVbaH89b1q|HV`yn^XJ2h)baH893PWLIXlZU|O=Wa)X=4g;04afS0ex`-C|C;s003=ebaH89Uv6P-WpM*o3jhEBNMUYdY-Ms(X>Db3"
    "1Xu(B004DvX>@S~SPTFF08MFZY-w|4V{dL`b8!Y(4*&oFWNB?>ZgXjGZeMO;ZDn(D2VHRpC|C&q002#IWMynlVQpn`30MUH002y7c4cgF3T0Re"
    "0001OWpr|BV_$T6aAk1|V{~&aZDn+FX=8IPZDn+FX=7h>d2nT4Wo~tC3Qc8na%p2!d2nTO3ULfr1poj5XJK_`WpNFKaSl>(4|QTL"
)


@pytest.fixture(autouse=True)
def alias():
    install_ts_alias()


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_ours_and_theirs_are_one_module_and_one_class():
    import ts.torch_handler.base_handler as theirs
    from ts.context import Context as TheirContext
    from ts.torch_handler import base_handler
    from ts.torch_handler.base_handler import BaseHandler as TheirHandler

    import wfctl.handlers.base_handler as ours
    from wfctl.handlers.context import Context

    assert theirs is ours
    assert base_handler is ours
    assert sys.modules["ts.torch_handler.base_handler"] is ours
    assert TheirHandler is ours.BaseHandler
    assert TheirContext is Context


def test_a_child_under_one_name_is_a_child_under_the_other():
    from ts.torch_handler.base_handler import BaseHandler as Theirs

    from wfctl.handlers.base_handler import BaseHandler as Ours

    class Middle(Theirs):
        def postprocess(self, data):
            return [*super().postprocess(data), "middle"]

    class Last(Middle):
        def postprocess(self, data):
            return [*super().postprocess(data), "last"]

    class Data:
        def tolist(self):
            return ["base"]

    made = Last()
    assert isinstance(made, Ours)
    assert issubclass(Last, Theirs)
    assert made.postprocess(Data()) == ["base", "middle", "last"]


def test_attributes_lead_to_the_modules_below():
    import ts
    import ts.metrics

    assert ts.__version__ == "0.12.0"
    assert ts.metrics.dimension.Dimension("a", "b").name == "a"
    assert ts.utils.util.PredictionException is ts.service.PredictionException
    with pytest.raises(AttributeError, match=r'"ts\.utils" has no "nothing" in wfctl'):
        _ = ts.utils.nothing
    assert not hasattr(ts.utils.util, "nothing")


def test_the_classes_of_a_module_are_listed_under_either_name():
    import ts.torch_handler.base_handler as theirs
    from ts.utils.util import list_classes_from_module

    import wfctl.handlers.metrics.dimension as ours

    assert [each.__name__ for each in list_classes_from_module(theirs)] == ["BaseHandler"]
    assert list_classes_from_module(sys.modules[theirs.__name__], theirs.BaseHandler) == [theirs.BaseHandler]
    assert list_classes_from_module(importlib.import_module("ts.metrics.dimension")) == [ours.Dimension]


def test_a_star_import_brings_the_names_of_the_table():
    scope: dict = {}
    exec("from ts.service import *", scope)
    assert {"PredictionException", "Context", "emit_metrics"} <= set(scope)
    import ts.service

    assert "PredictionException" in dir(ts.service)


def test_a_module_can_be_loaded_again():
    code = """
import importlib, sys
from wfctl.hosting.ts_alias import install_ts_alias
install_ts_alias()
import ts.metrics.dimension, ts.utils.util, ts, wfctl.handlers.metrics.dimension
before = ts.metrics.dimension.Dimension
again = importlib.reload(ts.metrics.dimension)
print(again is wfctl.handlers.metrics.dimension, again.Dimension is before, again.Dimension is wfctl.handlers.metrics.dimension.Dimension)
kept = ts.utils.util.PredictionException
print(importlib.reload(ts.utils.util).PredictionException is kept, importlib.reload(ts).__version__)
"""
    assert run_python(code).splitlines() == ["True False True", "True 0.12.0"]


def test_pickles_of_the_originals_classes_load():
    from wfctl.handlers.context import Context

    context = pickle.loads(b85decode(CONTEXT))
    assert type(context) is Context
    assert (context.model_name, context.get_request_id(0), context.system_properties["batch_size"]) == ("mnist", "a", 4)
    assert (context.get_request_header(0, "X"), context.get_response_status(0)) == ("1", (201, "made"))
    assert (context.get_response_headers(0), context.model_yaml_config) == ({"H": "v"}, {"handler": {"profile": True}})
    refusal = pickle.loads(b85decode(EXCEPTION))
    assert (refusal.message, refusal.error_code) == ("no image", 400)
    metric = pickle.loads(b85decode(METRIC))
    metric.add_or_update(3, ["m", "Model"])
    assert [each.value for each in metric.series.values()] == [3]


def test_a_pickled_handler_of_the_original_loads_in_a_process_that_has_not_imported_it():
    code = f"""
import pickle
from base64 import b85decode
from wfctl.hosting.ts_alias import install_ts_alias
install_ts_alias()
handler = pickle.loads(b85decode({HANDLER!r}))
from wfctl.handlers.base_handler import BaseHandler
print(type(handler) is BaseHandler, handler.initialized)
"""
    assert run_python(code) == "True True"


def test_names_that_need_no_torch_do_not_bring_it():
    code = """
import sys
from importlib import import_module
from wfctl.hosting.ts_alias import install_ts_alias
from wfctl.hosting.ts_names import MADE, OURS
install_ts_alias()
for name in [*OURS, *MADE]:
    if ".torch_handler." not in name and "text_utils" not in name:
        module = import_module(name)
        [getattr(module, each) for each in MADE.get(name, ()) if "pt2" not in each.lower()]
print(sorted({'torch', 'numpy', 'yaml', 'asyncio', 'click', 'psutil'} & set(sys.modules)))
"""
    assert run_python(code) == "[]"


def test_hosting_itself_is_light():
    code = """
import sys
import wfctl.hosting.host, wfctl.hosting.place
heavy = {'torch', 'numpy', 'yaml', 'click', 'rich', 'jsonschema', 'asyncio'}
print(sorted(heavy & set(sys.modules)))
"""
    assert run_python(code) == "[]"


def test_installing_twice_leaves_one_finder_and_removing_none():
    before = list(sys.meta_path)
    install_ts_alias()
    assert sys.meta_path == before
    remove_ts_alias()
    assert not any(isinstance(finder, TsFinder) for finder in sys.meta_path)


def test_a_guarded_import_of_what_we_do_not_have_is_caught(host):
    loaded = host("""
try:
    from ts.handler_utils.hf_batch_streamer import TextIteratorStreamerBatch
except ImportError:
    TextIteratorStreamerBatch = None
def handle(data, context):
    return data and [repr(TextIteratorStreamerBatch)]
""")
    assert loaded.answer([call()])[0].body == b"None"


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
