import json


def pre_processing(data, context):
    if data:
        text = data[0].get("data") or data[0].get("body")
        return [text]
    return None


def aggregate_func(data, context):
    if data:
        french = data[0].get("to_french").decode("utf-8")
        german = data[0].get("to_german").decode("utf-8")
        return [json.dumps({"french": french, "german": german}, ensure_ascii=False)]
    return None
