def prepare(data, context):
    return data
