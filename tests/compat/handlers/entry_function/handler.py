state = {"loaded": 0}


def handle(data, context):
    if data is None:
        state["loaded"] += 1
        return None
    return [f"{row['body']} after {state['loaded']} load" for row in data]
