def pre(data, context):
    return data[0]


def m1_too(data, context):
    return data
