def prepare(data):
    return data


async def finish(data, context):
    return data
