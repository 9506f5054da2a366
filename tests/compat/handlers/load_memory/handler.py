class Failing:
    def initialize(self, context):
        raise MemoryError

    def handle(self, data, context):
        return ["never"]
