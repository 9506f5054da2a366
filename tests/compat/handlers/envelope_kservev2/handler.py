import numpy as np


def handle(data, context):
    if data is None:
        return None
    answers = []
    for tensor in data:
        if tensor["datatype"] == "BYTES":
            answers.append([tensor["data"] + "!"])
        elif tensor["datatype"] == "BOOL":
            answers.append([not value for value in tensor["data"]])
        elif tensor["datatype"] == "FP32":
            answers.append(np.asarray(tensor["data"], dtype="float32") * 2)
        else:
            answers.append(tensor["data"])
    return answers
