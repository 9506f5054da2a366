def handle(data, context):
    if data:
        return [sorted(context.manifest), context.manifest["model"]["extensions"]]
