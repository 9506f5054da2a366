"""A small collection for Postman's own runner, over inference and management."""

from typing import Any

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


def _item(name: str, line: str, *tests: str, body: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
    method, url = line.split(" ")
    script = [f'pm.test("{name}: {at}", () => {{ {test} }});' for at, test in enumerate(tests)]
    return {
        "name": name,
        "request": {
            "method": method,
            "url": url,
            "header": [{"key": key.replace("_", "-"), "value": value} for key, value in headers.items()],
            **({} if body is None else {"body": body}),
        },
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": script}}],
    }


def _raw(text: str) -> dict[str, Any]:
    return {"mode": "raw", "raw": text}


def _status(number: int) -> str:
    return f"pm.response.to.have.status({number})"


def _equal(path: str, value: str) -> str:
    return f"pm.expect(pm.response.json(){path}).to.eql({value})"


JSON = "application/json"
ITEMS = [
    _item("ping", "GET {{inference}}/ping", _status(200), _equal("", '{status: "Healthy"}')),
    _item("head", "HEAD {{inference}}/ping", _status(200), 'pm.expect(pm.response.text()).to.eql("")'),
    _item(
        "predict",
        "POST {{inference}}/wfpredict/told",
        _status(200),
        _equal(".row", "{body: {n: [1, 2]}}"),
        'pm.response.to.have.header("x-request-id", "from-postman")',
        body=_raw('{"n": [1, 2]}'),
        Content_Type=JSON,
        X_Request_Id="from-postman",
    ),
    _item(
        "a form",
        "POST {{inference}}/wfpredict/told",
        _status(200),
        _equal(".row", '{data: "a b"}'),
        body={"mode": "urlencoded", "urlencoded": [{"key": "data", "value": "a b"}]},
    ),
    _item(
        "a form with fields",
        "POST {{inference}}/wfpredict/told",
        _status(200),
        _equal(".row", '{one: "1", two: "zwei"}'),
        body={
            "mode": "formdata",
            "formdata": [{"key": "one", "value": "1", "type": "text"}, {"key": "two", "value": "zwei", "type": "text"}],
        },
    ),
    _item("none such", "POST {{inference}}/wfpredict/nosuch", _status(404), _equal(".code", "404"), body=_raw("x")),
    _item(
        "list", "GET {{management}}/workflows", _status(200), _equal(".workflows.map(w => w.workflowName)", '["told"]')
    ),
    _item("register", "POST {{management}}/workflows?url=more.war", _status(200), "pm.response.json()"),
    _item("registered twice", "POST {{management}}/workflows?url=more.war", _status(409)),
    _item("use it", "POST {{inference}}/wfpredict/more", _status(200), body=_raw("x")),
    _item("describe", "GET {{management}}/workflows/more", _status(200), _equal("[0].workflowName", '"more"')),
    _item(
        "scale",
        "PUT {{management}}/workflows/more/nodes/told?min_worker=2&max_worker=2&synchronous=true",
        _status(200),
    ),
    _item("unregister", "DELETE {{management}}/workflows/more", _status(200)),
    _item("gone", "GET {{management}}/workflows/more", _status(404)),
]
ASSERTIONS = sum(len(item["event"][0]["script"]["exec"]) for item in ITEMS)


def collection(inference: int, management: int) -> dict[str, Any]:
    """Return the collection for a server at these ports."""
    ports = {"inference": inference, "management": management}
    return {
        "info": {"name": "wfctl", "schema": SCHEMA},
        "item": ITEMS,
        "variable": [{"key": name, "value": f"http://127.0.0.1:{port}"} for name, port in ports.items()],
    }
