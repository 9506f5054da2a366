class BaseHandler:
    def initialize(self, context):
        pass

    def handle(self, data, context):
        return ["the archive's own"]
