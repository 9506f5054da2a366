from ts.service import PredictionException
from ts.utils.util import PredictionException as TheSame


class TooLarge(PredictionException):
    def __init__(self, size):
        super().__init__(f"{size} is too large", 413)


class Plain(PredictionException):
    pass


def handle(data, context):
    if data is None:
        return
    what = data[0]["body"]
    if what == "default":
        raise PredictionException("no code given")
    if what == "bad":
        raise PredictionException("bad input", 400)
    if what == "child":
        raise TooLarge(9)
    if what == "plain child":
        raise Plain("words", 418)
    if what == "busy":
        raise PredictionException("later", error_code=503)
    return [str(PredictionException is TheSame), str(PredictionException("m", 400))]
