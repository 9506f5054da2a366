async def handle(data, context):
    return ["never"]
