class Failing:
    def initialize(self, context):
        raise RuntimeError("CUDA error: out of memory")

    def handle(self, data, context):
        return ["never"]
