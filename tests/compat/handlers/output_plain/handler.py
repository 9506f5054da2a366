def handle(data, context):
    if data is None:
        return
    return ["täxt", b"\x00\xff\xfe", bytearray(b"array"), ""]
