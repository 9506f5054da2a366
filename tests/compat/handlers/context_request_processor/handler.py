def handle(data, context):
    if data is None:
        return
    for at, processor in enumerate(context.request_processor):
        processor.add_response_property("x-at", str(at))
        processor.report_status(200 + at, "fine")
    return [
        {
            "header": processor.get_request_property("X-A"),
            "all": processor.get_request_properties(),
            "status": [processor.get_response_status_code(), processor.get_response_status_phrase()],
            "set": processor.get_response_headers(),
            "one": processor.get_response_header("x-at"),
        }
        for processor in context.request_processor
    ]
