from ts.metrics.dimension import Dimension
from ts.metrics.metric_type_enum import MetricTypes


class Measured:
    def initialize(self, context):
        self.metric = context.metrics.add_metric_to_cache(
            metric_name="Loads", unit="count", dimension_names=["Kind"], metric_type=MetricTypes.COUNTER
        )

    def handle(self, data, context):
        metrics = context.metrics
        metrics.add_counter("Requests", len(data), None, dimensions=[Dimension("Kind", "own")])
        metrics.add_time("Step", 1.5)
        metrics.add_time("StepSeconds", 2, unit="s")
        metrics.add_size("Size", 10, unit="kB")
        metrics.add_percent("Share", 50)
        metrics.add_error("Trouble", 1)
        metrics.add_metric("Free", 3, "unit", dimensions=[Dimension("A", "b")], metric_type=MetricTypes.HISTOGRAM)
        self.metric.add_or_update(2, ["x"])
        problems = []
        for call in (lambda: metrics.add_time("Bad", 1, unit="days"), lambda: metrics.add_counter("Text", "x")):
            try:
                call()
            except Exception as error:
                problems.append(isinstance(error, TypeError))
        return [
            {"problems": problems, "dimension": str(Dimension("k", "v")), "types": [each.name for each in MetricTypes]}
            for _ in data
        ]
