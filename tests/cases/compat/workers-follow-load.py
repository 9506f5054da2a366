def pre(data, context):
    return data
