def handle(data, context):
    if data is None:
        return
    loop = []
    loop.append(loop)
    return [loop]
