def handle(data, context):
    if data is not None:
        return ["flat"]
