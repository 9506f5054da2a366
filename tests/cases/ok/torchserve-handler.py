def preprocess(data, context):
    pass


def postprocess(data, context):
    pass
