from collections import OrderedDict


class Shape:
    pass


class Square(Shape):
    pass


class Other(OrderedDict):
    pass
