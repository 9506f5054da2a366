from ts.utils.util import load_label_mapping, map_class_to_label


def handle(data, context):
    if data is None:
        return
    mapping = load_label_mapping("index_to_name.json")
    return map_class_to_label([row["body"] for row in data], mapping)
