class Tool:
    name = "hammer"
