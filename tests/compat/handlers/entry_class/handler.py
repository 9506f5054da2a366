import logging

logger = logging.getLogger(__name__)


class ModelHandler:
    def __init__(self):
        self.initialized = False
        self.calls = 0

    def initialize(self, context):
        logger.info("loading %s", context.model_name)
        self.initialized = True

    def handle(self, data, context):
        self.calls += 1
        return [{"initialized": self.initialized, "call": self.calls} for _ in data]
