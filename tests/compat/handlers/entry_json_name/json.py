def handle(data, context):
    if data:
        return ["from the archive"]
