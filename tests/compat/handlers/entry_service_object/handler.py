class Service:
    def __init__(self):
        self.initialized = False

    def initialize(self, context):
        self.name = context.model_name
        self.initialized = True

    def inference(self, data):
        return [self.name + ": " + row.get("data", row.get("body")) for row in data]


_service = Service()


def handle(data, context):
    if not _service.initialized:
        _service.initialize(context)
    if data is None:
        return None
    return _service.inference(data)
