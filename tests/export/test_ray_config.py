"""The config of Ray Serve that a plan becomes; no Ray is needed to see it."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from fakes.plans import plan_of
from hypothesis import given
from hypothesis import strategies as st

from wfctl.export.export import export_workflow
from wfctl.export.serve_config import USUAL, Site, arguments_of, ingress_name, serve_config
from wfctl.export.yaml_text import yaml_text
from wfctl.service.options import Options, request_for
from wfctl.spec.model import WorkerSettings
from wfctl.workflow import NodeKind


def changed(plan, name, **more):
    return replace(plan, nodes=tuple(replace(each, **more) if each.name == name else each for each in plan.nodes))


def application(plan, arguments=None, **more):
    (only,) = serve_config(plan, arguments or {}, **more)["applications"]
    return only


def deployment(plan, name):
    return next(each for each in application(plan)["deployments"] if each["name"] == name)


class TestConfig:
    def test_one_application_is_served_at_every_machine(self):
        config = serve_config(plan_of("a > b"), {"workflow": "/flow.war", "name": "flow"})
        assert config["proxy_location"] == "EveryNode"
        assert config["http_options"] == {"host": "0.0.0.0", "port": 8000}
        (only,) = config["applications"]
        assert (only["name"], only["route_prefix"]) == ("flow", "/")
        assert only["import_path"] == "wfctl.export.application:application"
        assert only["args"] == {"workflow": "/flow.war", "name": "flow"}
        assert "runtime_env" not in only

    def test_addresses_and_requirements_are_those_that_were_asked_for(self):
        site = Site(host="::", port=9000, route_prefix="/flow")
        config = serve_config(plan_of("a"), {}, site=site, pip=("wfctl[ray]", "numpy<3"))
        assert config["http_options"] == {"host": "::", "port": 9000}
        (only,) = config["applications"]
        assert only["route_prefix"] == "/flow"
        assert only["runtime_env"] == {"pip": ["wfctl[ray]", "numpy<3"]}

    def test_every_node_is_a_deployment_and_so_is_what_takes_requests_in(self):
        only = application(plan_of("a > b, a > c"))
        assert [each["name"] for each in only["deployments"]] == ["wfctl-ingress", "a", "b", "c"]
        assert only["deployments"][0] == {
            "name": "wfctl-ingress",
            "num_replicas": 1,
            "max_ongoing_requests": 1000,
            "ray_actor_options": {"num_cpus": 1},
        }

    def test_the_ingress_has_a_name_that_no_node_has(self):
        assert ingress_name(plan_of("a")) == "wfctl-ingress"
        assert ingress_name(plan_of("wfctl-ingress > wfctl-ingress-")) == "wfctl-ingress--"

    def test_workers_are_replicas_which_serve_scales_between_two_numbers(self):
        plan = plan_of("a > b", {"b": WorkerSettings(min_workers=2, max_workers=5, batch_size=4)}, idle_s=30)
        assert deployment(plan, "a")["num_replicas"] == 1
        scaling = deployment(plan, "b")["autoscaling_config"]
        assert (scaling["min_replicas"], scaling["max_replicas"], scaling["downscale_delay_s"]) == (2, 5, 30)
        assert "num_replicas" not in deployment(plan, "b")

    def test_resources_are_those_of_the_spec_and_a_model_has_a_processor_of_its_own(self):
        plan = changed(plan_of("a > b > c"), "b", kind=NodeKind.MODEL)
        plan = changed(plan, "c", resources={"num_cpus": 2, "num_gpus": 0.5, "memory": 10**9, "near": 1})
        assert deployment(plan, "a")["ray_actor_options"] == {"num_cpus": 0, "num_gpus": 0}
        assert deployment(plan, "b")["ray_actor_options"] == {"num_cpus": 1, "num_gpus": 0}
        assert deployment(plan, "c")["ray_actor_options"] == {
            "num_cpus": 2,
            "num_gpus": 0.5,
            "memory": 10**9,
            "resources": {"near": 1},
        }

    def test_what_an_operator_changes_stands_first(self):
        plan = plan_of("a > b", {"b": WorkerSettings(max_workers=2)})
        assert list(serve_config(plan, {})) == ["proxy_location", "http_options", "applications"]
        assert list(application(plan, pip=["x"])) == [
            "name",
            "route_prefix",
            "import_path",
            "runtime_env",
            "args",
            "deployments",
        ]
        assert list(deployment(plan, "a"))[:3] == ["name", "num_replicas", "max_ongoing_requests"]
        assert list(deployment(plan, "b"))[:2] == ["name", "autoscaling_config"]


class TestArguments:
    def test_what_is_usual_is_not_written(self):
        assert arguments_of("/flow.war", "flow", {}) == {"workflow": "/flow.war", "name": "flow"}
        assert arguments_of("/flow.war", "flow", USUAL) == {"workflow": "/flow.war", "name": "flow"}

    def test_what_is_usual_here_is_what_is_usual_for_a_deployment(self):
        assert request_for("https://x.test/a.war", USUAL) == request_for("https://x.test/a.war", {})

    def test_every_option_that_is_not_usual_is_written(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        said: Options = {
            "handler": Path("own.py"),
            "model_store": "models",
            "until": "b",
            "startup_timeout_s": 300.0,
            "install_requirements": True,
            "service_envelope": "json",
            "limit_max_image_pixels": False,
            "ts": "real",
            "allowed_urls": ("https://x.test/",),
            "trust": True,
            "sha256": "0" * 64,
        }
        written = arguments_of("/flow.war", "flow", said)
        assert written == {
            "workflow": "/flow.war",
            "name": "flow",
            **said,
            "handler": str(tmp_path / "own.py"),
            "model_store": str(tmp_path / "models"),
            "allowed_urls": ["https://x.test/"],
        }
        assert written.keys() - {"workflow", "name"} == USUAL.keys()

    def test_what_is_a_matter_of_this_machine_is_not_written(self):
        told: Options = {"cache": Path("/c"), "on_fetch": print, "workflow_store": Path("/s")}
        assert arguments_of("/a", "a", told) == {"workflow": "/a", "name": "a"}

    def test_they_are_the_options_of_a_deployment(self):
        assert USUAL.keys() == Options.__annotations__.keys() - {"workflow_store", "cache", "on_fetch"}


NAMES_TO_QUOTE = [
    "yes", "No", "on", "y", "N", "null", "~", "true", "1", "007", "1e3", "1_000", "0o17", "0x1f", ".5", "-", "+1",
    "2024-01-01", "12:30", "<<", "=", "a: b", "a #b", "- a", "[a]", "{a}", "*a", "&a", "!a", "%a", "@a", "`a`", "|",
    ">", "'a'", '"a"', "", " a ", "a\tb", "ä", "名", "a\u2028b", "\x85", "\x85a\n", "\ufeffa", "a\r\n", "a\x7fb", "a\nb", "\n", "a\n\n", " a\n", "🦙",
]  # fmt: skip


class TestText:
    @pytest.mark.parametrize("name", NAMES_TO_QUOTE)
    def test_a_name_comes_back_as_the_text_that_it_is(self, name):
        content = {"applications": [{"name": name, name: {"name": name}}]}
        assert yaml.safe_load(yaml_text(content)) == content

    @pytest.mark.parametrize("name", ["y", "N", "1e3", "0o17", "1_000", "+.5", "2.60.0"])
    def test_what_other_readers_take_for_something_else_is_quoted(self, name):
        assert yaml_text({name: name}) == f"'{name}': '{name}'\n"

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=20,
        )
    )
    def test_the_text_gives_the_mapping_again(self, value):
        content = {"value": value}
        text = yaml_text(content)
        assert yaml.safe_load(text) == content
        assert yaml_text({"text": text}).startswith("text: ")
        assert yaml.safe_load(yaml_text({"text": text})) == {"text": text}

    def test_order_is_kept_and_nothing_is_an_alias(self):
        shared = {"b": [1], "a": [1]}
        text = yaml_text({"z": shared, "y": shared, "list": ["x", "x"]})
        assert text == "z:\n  b:\n    - 1\n  a:\n    - 1\n'y':\n  b:\n    - 1\n  a:\n    - 1\nlist:\n  - x\n  - x\n"

    def test_long_text_stays_on_one_line(self):
        path = "/" + "a folder/" * 40
        assert yaml_text({"workflow": path}) == f"workflow: {path}\n"

    def test_text_of_several_lines_stands_as_a_block(self):
        assert yaml_text({"config": "a: 1\nb:\n  - c\n"}) == "config: |\n  a: 1\n  b:\n    - c\n"

    def test_the_same_plan_gives_the_same_text(self):
        one, other = (yaml_text(serve_config(plan_of("a > b, a > c"), {"workflow": "/x"})) for _ in range(2))
        assert one == other
        assert "&" not in one
        assert "*" not in one


class TestWorkflow:
    """A spec on disk, as the door of the room takes it."""

    SPEC = """\
dag:
  pre: ['y']
  'y': [last]
wfctl:
  functions:
    pre: {min-workers: 2, max-workers: 6}
  nodes:
    pre: {resources: {num_cpus: 0.5, near-the-data: 1}}
"""

    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "workflow.yaml").write_text(self.SPEC)
        (tmp_path / "handler.py").write_text(
            "".join(f"def {name}(data, context):\n    return data\n\n\n" for name in ("pre", "y", "last"))
        )
        return tmp_path

    def test_a_spec_is_exported_with_its_resources_and_scaling(self, folder):
        exported = export_workflow(folder, {})
        (only,) = yaml.safe_load(yaml_text(exported.config))["applications"]
        assert only == exported.config["applications"][0]
        assert exported.arguments == {"workflow": str(folder), "name": only["name"]}
        pre = only["deployments"][1]
        assert pre["autoscaling_config"]["max_replicas"] == 6
        assert pre["ray_actor_options"] == {"num_cpus": 0.5, "num_gpus": 0, "resources": {"near-the-data": 1}}
        assert [each["name"] for each in only["deployments"][1:]] == ["pre", "y", "last"]
        assert exported.models_outside == ()

    def test_only_what_feeds_into_the_last_node_is_deployed(self, folder):
        exported = export_workflow(folder, {"until": "y"})
        names = [each["name"] for each in exported.config["applications"][0]["deployments"]]
        assert names == ["wfctl-ingress", "pre", "y"]
        assert exported.arguments["until"] == "y"

    def test_what_is_for_the_machines_that_run_it_is_not_asked_of_this_one(self, folder):
        exported = export_workflow(folder, {"ts": "real", "install_requirements": True})
        assert exported.arguments["ts"] == "real"
        assert exported.arguments["install_requirements"] is True
