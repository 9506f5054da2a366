def handle(data, context):
    if data is None:
        return
    properties = dict(context.system_properties)
    properties["model_dir"] = type(properties["model_dir"]).__name__
    properties["server_version"] = type(properties["server_version"]).__name__
    return [
        {
            "name": context.model_name,
            "properties": properties,
            "manifest": [
                context.manifest["runtime"],
                *(context.manifest["model"][key] for key in ("modelName", "handler", "modelVersion")),
            ],
            "config": context.model_yaml_config,
            "ids": list(context.request_ids),
            "id": type(context.get_request_id(at)).__name__,
            "no id": context.get_request_id(99),
            "criteria": context.stopping_criteria,
            "keys": [
                context.header_key_sequence_id,
                context.header_key_sequence_start,
                context.header_key_sequence_end,
            ],
            "sequence": context.get_sequence_id(at),
        }
        for at in range(len(data))
    ]
