import base64
import json


def pre_processing(data, context):
    """Wrap the picture, so that it can travel beside other values."""
    if data is None:
        return None
    pictures = []
    for row in data:
        picture = row.get("data") or row.get("body")
        pictures.append(json.dumps({"image": base64.b64encode(picture).decode("utf-8")}))
    return pictures


def describe(data, context):
    if data is None:
        return None
    return ["a picture of a " + json.loads(row["body"])["species"] for row in data]


def aggregate(data, context):
    if data is None:
        return None
    answers = []
    for row in data:
        breed = json.loads(row.get("breed").decode("utf-8"))
        answers.append({"text": row.get("describe").decode("utf-8"), **breed})
    return answers
