"""Why an input is none: the one exception of those who read inputs."""


class MalformedInputError(Exception):
    """An input that is not what it must be, JSON or a protocol's, with the reason."""
