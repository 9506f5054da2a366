class Steps:
    def initialize(self, context):
        self.ready = True

    def preprocess(self, data):
        return [row["body"] for row in data]

    def postprocess(self, items):
        return items

    def handle(self, data, context):
        return self.postprocess(self.preprocess(data))
