import json


def pre_processing(data, context):
    if data:
        text = data[0].get("data") or data[0].get("body")
        return [text.decode("utf-8").lower()]
    return None


def intermediate_processing(data, context):
    if data:
        return [data[0].get("body")]
    return None


def post_processing(data, context):
    if data:
        text = data[0].get("data") or data[0].get("body")
        return [json.dumps({"again": text.decode("utf-8")})]
    return None
