import numpy as np


def handle(data, context):
    if data is None:
        return
    return [[np.float32(0.5)]]
