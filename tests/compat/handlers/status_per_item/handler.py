def handle(data, context):
    if data is None:
        return
    for at, row in enumerate(data):
        if row["body"] == "absent":
            context.set_response_status(code=404, phrase="no such thing", idx=at)
        if row["body"] == "teapot":
            context.set_response_status(418, idx=at)
    return [f"{row['body']} {context.get_response_status(at)[0]}" for at, row in enumerate(data)]
