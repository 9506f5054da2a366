def predict(data, context):
    if data:
        return [str(len(data))] * len(data)
