import importlib

from ts.utils.util import list_classes_from_module


class Finder:
    def initialize(self, context):
        shapes = importlib.import_module("shapes")
        self.names = [each.__name__ for each in list_classes_from_module(shapes)]
        self.children = sorted(each.__name__ for each in list_classes_from_module(shapes, shapes.Shape))
        self.ts = [each.__name__ for each in list_classes_from_module(importlib.import_module("ts.context"))]

    def handle(self, data, context):
        return [{"all": self.names, "children": self.children, "context": self.ts}]
