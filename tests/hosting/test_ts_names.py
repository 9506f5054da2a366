from importlib import import_module

import pytest

from wfctl.hosting.ts_alias import install_ts_alias
from wfctl.hosting.ts_names import BUILT_IN_HANDLERS, MADE, MODULES, OURS, PACKAGES


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_module_of_the_table_is_one_of_ours(name):
    install_ts_alias()
    assert import_module(name) is import_module(OURS[name])


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in MADE.items() for name in names])
def test_every_name_of_the_table_is_there(module, name):
    install_ts_alias()
    scope: dict = {}
    exec(f"from {module} import {name}", scope)
    assert scope[name] is getattr(import_module(MADE[module][name]), name)


def test_every_module_has_its_packages():
    above = {name.rpartition(".")[0] for name in MODULES} - {""}
    assert above <= PACKAGES


def test_what_a_manifest_may_name_is_in_the_table():
    assert {f"ts.torch_handler.{name}" for name in BUILT_IN_HANDLERS} <= OURS.keys()
