import numpy as np


def handle(data, context):
    if data is None:
        return
    return [np.float64(1.5), [np.float64(2.0)], np.str_("text"), np.bytes_(b"raw")]
