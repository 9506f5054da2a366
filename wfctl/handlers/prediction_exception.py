"""The exception by which a handler says what is wrong with a request, in its own words and with its own status.

Invariant: imports nothing; a worker pays for it at every start.
"""


class PredictionException(Exception):  # noqa: N818 - the name that handlers import
    """Refuse a request: a ``error_code`` of 400 to 499 is a final answer, anything else a failure."""

    def __init__(self, message: str, error_code: int = 500) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = error_code

    def __str__(self) -> str:
        return f"{self.message} : {self.error_code}"
