def one(data):
    return data


def three(data, context, more):
    return data


def defaults(data, context=None, more=None):
    return data


def star(*args):
    return args[0]


def named(data, *, context):
    return data


def none():
    return []
