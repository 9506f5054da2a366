import time
from time import sleep


def pre(data, context):
    if data:
        sleep(1.5)
    return data


def post(data, context):
    if data:
        time.sleep(0.5)
    return data


def unused(data, context):
    time.sleep(100)
