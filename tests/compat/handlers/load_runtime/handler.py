class Failing:
    def initialize(self, context):
        raise RuntimeError("no weights")

    def handle(self, data, context):
        return ["never"]
