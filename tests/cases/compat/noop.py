def pre(data, context):
    return data


def post(data, context):
    return data
