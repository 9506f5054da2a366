class _Entry:
    def __init__(self):
        self.seen = []

    def __call__(self, data, context):
        self.seen.append(None if data is None else len(data))
        return None if data is None else [self.seen] * len(data)


handle = _Entry()
