def handle(data, context):
    if data is None:
        return
    return [
        {
            "custom": context.get_request_header(at, "X-Custom"),
            "other case": context.get_request_header(at, "x-custom"),
            "none": context.get_request_header(at, "Absent"),
            "all": context.get_all_request_header(at),
        }
        for at in range(len(data))
    ]
