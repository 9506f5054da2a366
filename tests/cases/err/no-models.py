def shout(data, context):
    return data
