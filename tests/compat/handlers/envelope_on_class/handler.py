class Doubling:
    def initialize(self, context):
        self.factor = 2

    def handle(self, data, context):
        return [self.factor * value for value in data]
