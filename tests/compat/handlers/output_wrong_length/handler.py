def handle(data, context):
    if data is None:
        return
    return ["x"] * int(data[0]["body"])
