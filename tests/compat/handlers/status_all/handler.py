def handle(data, context):
    if data is None:
        return
    context.set_all_response_status(code=201, phrase="made")
    for at in range(len(data)):
        context.set_response_content_type(at, "image/x-own")
        context.set_response_header(at, "X-Place", str(at))
    return [
        str([context.get_response_content_type(at), context.get_response_headers(at), context.get_response_status(at)])
        for at in range(len(data))
    ]
