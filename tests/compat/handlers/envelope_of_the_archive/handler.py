def handle(data, context):
    return data and [value.upper() for value in data]
