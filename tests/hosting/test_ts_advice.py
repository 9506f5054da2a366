import pytest
from hosted_nodes import call

from wfctl.errors import LoadError

LOADED = "\ndef handle(data, context):\n    return data and [1]\n"


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("import ts.nothing", '"ts.nothing" is not supported by wfctl', "supported are ts.context, ts.handler_utils."),
        (
            "from ts.handler_utils.nothing import x",
            '"ts.handler_utils.nothing" is not supported by wfctl',
            "supported are ts.handler_utils.micro_batching, ",
        ),
        (
            "from ts.utils.util import nosuch",
            '"ts.utils.util" has no "nosuch" in wfctl',
            "supported are CLEANUP_REGEX, PT2Backend, PredictionException, ",
        ),
        (
            "from ts.torch_handler.base_handler import nosuch",
            '"ts.torch_handler.base_handler" has no "nosuch" in wfctl',
            "supported are BaseHandler",
        ),
        (
            "import ts.torch_handler.base_handler as b; b.nosuch",
            '"ts.torch_handler.base_handler" has no "nosuch" in wfctl',
            "supported are BaseHandler",
        ),
        ("import ts; ts.utils.nosuch", '"ts.utils" has no "nosuch" in wfctl', "supported are ts.utils.util"),
        (
            "from ts.torch_handler import dali_handler",
            '"ts.torch_handler" has no "dali_handler" in wfctl',
            "decode and resize in a handler of your own",
        ),
        (
            "from ts.torch_handler.dali_handler import DALIHandler",
            '"ts.torch_handler.dali_handler" is not supported by wfctl',
            "decode and resize in a handler of your own",
        ),
        (
            "from ts.torch_handler.distributed.base_pippy_handler import BasePippyHandler",
            '"ts.torch_handler.distributed.base_pippy_handler" is not supported by wfctl',
            'device_map="auto"',
        ),
        (
            "from ts.handler_utils.distributed.deepspeed import get_ds_engine",
            '"ts.handler_utils.distributed.deepspeed" is not supported by wfctl',
            "deepspeed.init_inference",
        ),
        (
            "from ts.torch_handler.vllm_handler import VLLMHandler",
            '"ts.torch_handler.vllm_handler" is not supported by wfctl',
            "vLLM's own LLM class",
        ),
        (
            "from ts.torch_handler.trt_llm_handler import TRTLLMHandler",
            '"ts.torch_handler.trt_llm_handler" is not supported by wfctl',
            "tensorrt_llm's own runner",
        ),
        (
            "from ts.handler_utils.hf_batch_streamer import TextIteratorStreamerBatch",
            '"ts.handler_utils.hf_batch_streamer" is not supported by wfctl',
            "TextIteratorStreamer, one for each request",
        ),
    ],
)
def test_a_name_we_do_not_have_is_told_with_what_to_use_instead(host, line, message, hint):
    with pytest.raises(LoadError) as caught:
        host(line + LOADED)
    assert caught.value.message == f'node "node" failed to load: {message}'
    assert hint in caught.value.hint
    assert line.partition(";")[0] in caught.value.traceback_text
    assert "ts_alias.py" not in caught.value.traceback_text
    assert hint not in caught.value.traceback_text, "it is said once"


@pytest.mark.parametrize("line", ["from json import nosuch", "import json; json.nosuch", "import no_such_package"])
def test_what_is_not_ours_is_told_in_the_words_of_python(host, line):
    with pytest.raises(LoadError, match=r"nosuch|no_such_package") as caught:
        host(line + LOADED)
    assert "wfctl" not in caught.value.message
    assert "supported" not in (caught.value.hint or "")


def test_a_name_that_a_call_asks_for_is_told_in_its_traceback(host):
    (answer,) = host("""
def handle(data, context):
    if data is None: return
    from ts.torch_handler.vllm_handler import VLLMHandler
""").answer([call()])
    assert answer.error.message == "Prediction failed"
    last = answer.error.traceback_text.splitlines()[-1]
    assert '"ts.torch_handler.vllm_handler" is not supported by wfctl; call vLLM' in last
