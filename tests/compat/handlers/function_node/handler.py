import os


def pre(data, context):
    if data is None:
        return None
    folder = context.system_properties["model_dir"]
    with open(os.path.join(folder, "words.txt")) as file:
        words = file.read().split()
    return [
        {
            "name": context.model_name,
            "manifest": context.manifest,
            "config": context.model_yaml_config,
            "words": words,
            "body": row["body"],
        }
        for row in data
    ]


def post(data, context):
    raise RuntimeError("another node's")
