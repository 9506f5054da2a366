import sys
from collections import OrderedDict
from types import ModuleType

import pytest

from wfctl.handlers.classes import import_class, list_classes_from_module

SOURCE = """
from collections import OrderedDict
class Base: pass
class Child(Base): pass
class Other: pass
"""


@pytest.fixture
def module(monkeypatch):
    made = ModuleType("own_classes")
    exec(SOURCE, made.__dict__)
    monkeypatch.setitem(sys.modules, "own_classes", made)
    return made


def test_only_classes_that_a_module_defines_are_listed(module):
    assert [each.__name__ for each in list_classes_from_module(module)] == ["Base", "Child", "Other"]
    assert list_classes_from_module(module, module.Base) == [module.Base, module.Child]


def test_a_class_is_found_by_its_full_name(module):
    assert import_class("own_classes.Child") is module.Child
    assert import_class("OrderedDict", "collections") is OrderedDict
    assert import_class("abc.Mapping", module_prefix="collections").__name__ == "Mapping"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("",), "no class is named"),
        ((None,), "no class is named"),
        (("Alone",), 'class "Alone" needs the name of its module'),
        (("own_classes.Missing",), 'module "own_classes" has no class "Missing"'),
        (("no_such_module.Class",), "no_such_module"),
    ],
)
@pytest.mark.usefixtures("module")
def test_a_class_that_is_not_there_fails_as_an_import(arguments, words):
    with pytest.raises(ImportError, match=words):
        import_class(*arguments)
