class Failing:
    def initialize(self, context):
        raise ValueError("bad configuration")

    def handle(self, data, context):
        return ["never"]
