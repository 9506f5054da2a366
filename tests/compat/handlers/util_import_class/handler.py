from ts.handler_utils.utils import import_class
from ts.utils.util import check_valid_pt2_backend


def handle(data, context):
    if data is None:
        return
    counter = import_class("collections.Counter")
    tool = import_class("Tool", module_prefix="tools.inner")
    problems = []
    for name in ("", "NoModule", "collections.Absent"):
        try:
            import_class(name)
        except ImportError as error:
            problems.append(type(error).__name__)
    return [
        {
            "counter": counter("aab")["a"],
            "tool": tool().name,
            "problems": problems,
            "backends": [check_valid_pt2_backend("inductor"), check_valid_pt2_backend("x")],
        }
    ]
