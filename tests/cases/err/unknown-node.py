def prepare(data, context):
    return data


def finish(data, context):
    return data
