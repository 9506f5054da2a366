"""What ``context.metrics`` raises, by the names that handlers catch.

Invariant: each is also the exception of Python's that it means.
"""


class GeneralMetricsCacheError(Exception):
    """Anything else."""


class MetricsCacheIOError(OSError):
    """A file with figures cannot be read."""


class MetricsCachePyYamlError(ValueError):
    """A file with figures is no YAML."""


class MetricsCacheTypeError(TypeError):
    """A name, a unit, a value or a kind of figure is of the wrong type."""


class MetricsCacheValueError(ValueError):
    """A unit does not exist."""


class MetricsCacheKeyError(KeyError):
    """There is no figure of that name and kind."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""
