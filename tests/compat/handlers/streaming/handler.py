from ts.handler_utils.utils import send_intermediate_predict_response


def handle(data, context):
    if data is None:
        return
    for word in ("one ", "two "):
        send_intermediate_predict_response([word] * len(data), context.request_ids, "Intermediate", 200, context)
    return ["end"] * len(data)
