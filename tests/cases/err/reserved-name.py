def unused(data, context):
    return data
