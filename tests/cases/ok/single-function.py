def echo(data, context):
    if data is None:
        return None
    return [row.get("data") or row.get("body") for row in data]
