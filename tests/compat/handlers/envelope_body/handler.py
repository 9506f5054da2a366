def handle(data, context):
    if data is None:
        return None
    return [repr(row) for row in data]
