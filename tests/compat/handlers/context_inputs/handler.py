def handle(data, context):
    if data is None:
        return
    return [
        {
            name: [type(value).__name__, value if not isinstance(value, bytearray) else value.hex()]
            for name, value in row.items()
        }
        for row in data
    ]
