import ts
import ts.torch_handler.base_handler as by_module
from ts.context import Context, RequestProcessor
from ts.service import PredictionException as from_service
from ts.torch_handler.base_handler import BaseHandler
from ts.utils.util import CLEANUP_REGEX, PredictionException, PT2Backend


class Importing(BaseHandler):
    def initialize(self, context: Context):
        self.told = {
            "same": [by_module.BaseHandler is BaseHandler, from_service is PredictionException],
            "context": [isinstance(context, Context), Context.__name__],
            "processor": RequestProcessor({"a": "b"}).get_request_property("a"),
            "super": super().handle.__func__ is BaseHandler.handle,
            "version": ts.__version__.count("."),
            "cleanup": CLEANUP_REGEX.sub("", "<p>a&amp;b</p>"),
            "backend": PT2Backend.INDUCTOR.value,
        }

    def handle(self, data, context):
        return [self.told]
