from ts.utils.util import load_label_mapping, map_class_to_label


class Labels:
    def initialize(self, context):
        self.mapping = load_label_mapping("index_to_name.json")

    def handle(self, data, context):
        probabilities = [row["body"] for row in data]
        classes = [[2, 0] for _ in data]
        return [
            [one, other, third]
            for one, other, third in zip(
                map_class_to_label(probabilities, self.mapping),
                map_class_to_label(probabilities, self.mapping, classes),
                map_class_to_label(probabilities),
            )
        ]
