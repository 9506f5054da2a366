def handle(data, context):
    if data:
        return [{"manifest": context.manifest, "config": context.model_yaml_config}]
