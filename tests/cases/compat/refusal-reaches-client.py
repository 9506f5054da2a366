from ts.service import PredictionException


def pre(data, context):
    if data == []:
        raise PredictionException("nothing", error_code=404)
    return data


def post(data, context):
    if data == []:
        raise PredictionException("nothing")
    return data
