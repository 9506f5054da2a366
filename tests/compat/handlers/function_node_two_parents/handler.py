import json


def aggregate(data, context):
    if data is None:
        return None
    answers = []
    for row in data:
        left, right = json.loads(row.get("left")), row.get("right").decode()
        answers.append({"left": left, "right": right, "types": sorted(type(value).__name__ for value in row.values())})
    return answers
