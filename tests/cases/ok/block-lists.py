def split(data, context):
    if data is None:
        return None
    return [row.get("data") or row.get("body") for row in data]


def vote(data, context):
    if data is None:
        return None
    return [{name: bytes(value).decode("utf-8", "replace") for name, value in sorted(row.items())} for row in data]
