def handle(data, context):
    if data is None:
        return None
    return [{"got": row} for row in data]
