def loops(data, context):
    return [row for row in data]


def subscripts(data, context):
    body = data[0].get("body")
    return [body]


def guards(data, context):
    if data:
        return [row.get("body") for row in data]
    return None
