def send(data, context):
    return data
