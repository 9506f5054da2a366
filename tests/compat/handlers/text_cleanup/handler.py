from ts.torch_handler.text_handler import TextHandler


class Cleaning(TextHandler):
    def initialize(self, context):
        self.initialized = True

    def handle(self, data, context):
        answers = []
        for row in data:
            text = row["body"]
            answers.append(
                {
                    "html": self._remove_html_tags(text),
                    "contractions": self._expand_contractions(text.lower()),
                    "accents": self._remove_accented_characters(text),
                    "punctuation": self._remove_punctuation(text),
                    "old name": self._remove_puncutation(text),
                    "tokens": self._tokenize(text.lower()),
                }
            )
        return answers
