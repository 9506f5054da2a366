import surely_not_installed_anywhere


def handle(data, context):
    return ["never"]
