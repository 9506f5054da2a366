def handle(data, context):
    if data is None:
        return
    for row in data:
        yield row["body"]
