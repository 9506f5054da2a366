class Tokenizer:
    def tokens(self, text):
        return text.split()


class Handler:
    def initialize(self, context):
        self.tokenizer = Tokenizer()

    def handle(self, data, context):
        return [self.tokenizer.tokens(row["body"]) for row in data]
