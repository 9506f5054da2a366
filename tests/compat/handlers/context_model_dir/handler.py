import os

from vocabulary import WORDS


class Reader:
    def initialize(self, context):
        folder = context.system_properties.get("model_dir")
        with open(os.path.join(folder, "stop.txt")) as file:
            self.stop = file.read().split()
        with open("data/more.txt") as file:
            self.more = file.read().strip()

    def handle(self, data, context):
        return [
            {
                "stop": self.stop,
                "more": self.more,
                "words": WORDS,
                "here": os.getcwd() == context.system_properties["model_dir"],
            }
        ]
