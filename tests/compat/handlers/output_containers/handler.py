def handle(data, context):
    if data is None:
        return
    return [
        {"k": ["é", (1, 2), {}], 3: None, True: "yes"},
        [[], [1, [2]]],
        ("a", 1.5),
        {"nested": {"deep": [float("inf")]}},
    ]
