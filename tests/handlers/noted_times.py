"""Metrics that only keep times: what a handler needs of them, whatever else they can do."""


class NotedTimes:
    """Takes the place of ``context.metrics``."""

    def __init__(self):
        self.times = {}

    def add_time(self, name, value, idx=None, unit="ms"):
        assert unit == "ms"
        self.times[name] = value
