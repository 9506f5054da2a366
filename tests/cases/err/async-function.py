async def prepare(data, context):
    return [row for row in data]
