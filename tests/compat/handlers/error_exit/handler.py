import sys


def handle(data, context):
    if data is None:
        return
    sys.exit(3)
