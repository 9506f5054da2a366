from collections import Counter, OrderedDict
from pathlib import Path
from threading import Thread


class WordCounter(object):
    def initialize(self, ctx):
        self.count = Counter

    def handle(self, data, ctx):
        return [OrderedDict(sorted(self.count(row["body"].split()).items())) for row in data]
