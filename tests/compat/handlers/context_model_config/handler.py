class Configured:
    def initialize(self, context):
        self.options = context.model_yaml_config["handler"]

    def handle(self, data, context):
        return [{"options": self.options, "keys": sorted(context.model_yaml_config)} for _ in data]
