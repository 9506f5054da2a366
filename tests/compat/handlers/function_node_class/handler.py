class Node:
    def initialize(self, context):
        self.name = context.model_name

    def handle(self, data, context):
        return [self.name]
