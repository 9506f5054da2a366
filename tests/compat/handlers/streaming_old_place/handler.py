from ts.protocol.otf_message_handler import send_intermediate_predict_response


def handle(data, context):
    if data is None:
        return
    send_intermediate_predict_response([{"part": 1}], context.request_ids, "Intermediate", 200, context)
    context.set_response_content_type(0, "text/event-stream")
    return [b"|end"]
