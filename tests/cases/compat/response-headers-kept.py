def pre(data, context):
    if data:
        context.set_response_header(0, "x-not-a-leaf", "1")
    return data


def post(data, context):
    if data:
        context.set_response_header(0, "x-leaf", "1")
        context.set_response_status(201)
    return data
