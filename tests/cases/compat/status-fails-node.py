def pre(data, context):
    return data


def post(data, ctx):
    if data:
        ctx.request_processor[0].report_status(500, "no")
    return data
