def handle(data, context):
    if data is None:
        return
    return ["\ud800"]
