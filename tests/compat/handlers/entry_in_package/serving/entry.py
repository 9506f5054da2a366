from .words import GREETING


def handle(data, context):
    if data:
        return [GREETING + row["body"] for row in data]
