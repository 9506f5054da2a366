def handle(data, context):
    if data is None:
        return
    return [row["body"].upper() for row in data]
