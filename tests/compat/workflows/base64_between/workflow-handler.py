import base64
import json
import os


def encode(data, context):
    if data is None:
        return None
    body = data[0].get("data") or data[0].get("body")
    return [{"b64": base64.b64encode(body).decode("ascii"), "size": len(body)}]


def decode(data, context):
    if data is None:
        return None
    with open(os.path.join(context.system_properties["model_dir"], "mark.bin"), "rb") as file:
        mark = file.read()
    context.set_response_content_type(0, "application/x-inverted")
    return [mark + base64.b64decode(json.loads(data[0]["body"])["b64"])]
