def handle(data, context, suffix="!", *more, loud=True):
    if data is None:
        return None
    return [(row["body"].upper() if loud else row["body"]) + suffix for row in data]
