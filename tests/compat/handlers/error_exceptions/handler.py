def handle(data, context):
    if data is None:
        return
    what = data[0]["body"]
    if what == "value":
        raise ValueError("secret words")
    if what == "key":
        return [data[0]["absent"]]
    if what == "memory":
        raise MemoryError
    if what == "cuda":
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
    if what == "assert":
        assert False, "CUDA error: device-side assert triggered"
    return ["fine"]
