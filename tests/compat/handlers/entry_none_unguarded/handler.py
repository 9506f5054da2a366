def handle(data, context):
    return [row["body"] for row in data]
