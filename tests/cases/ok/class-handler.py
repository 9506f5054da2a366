class Prepare:
    def initialize(self, context):
        self.is_ready = True

    def handle(self, data, context):
        return [row.get("data") or row.get("body") for row in data]
