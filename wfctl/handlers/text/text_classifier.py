"""A text in, the probability of every class out.

Known to archives as ``ts.torch_handler.text_classifier``, and as the built-in handler ``text_classifier``.
Invariant: exactly one class here; one text a call, for the original takes no batches.
"""

from typing import Any

import torch

from wfctl.handlers.attributions import softmax_of, target_of
from wfctl.handlers.labels import map_class_to_label
from wfctl.handlers.text.text_handler import TextHandler
from wfctl.handlers.text.text_tokens import ngrams_iterator
from wfctl.handlers.text.vocabularies import number_of


class TextClassifier(TextHandler):
    """Say of which class a text is."""

    ngrams = 2

    def preprocess(self, data: Any) -> Any:
        """Return the numbers of the text's words and pairs of words, and the words; only the first row is looked at."""
        text = data[0].get("data") or data[0].get("body")
        if isinstance(text, bytes | bytearray):
            text = text.decode("utf-8")
        text = self._expand_contractions(self._remove_html_tags(text).lower())
        tokens = self._tokenize(self._remove_punctuation(self._remove_accented_characters(text)))
        numbers = [number_of(self.source_vocab, token) for token in ngrams_iterator(tokens, self.ngrams)]
        return torch.as_tensor(numbers, dtype=torch.long, device=self.device), tokens

    def inference(self, data: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - the signature of the base
        """Return what the model says of one bag of numbers."""
        text_tensor, _ = data
        return super().inference(text_tensor, torch.as_tensor([0], device=self.device))

    def postprocess(self, data: Any) -> Any:
        """Return the probability of every class by its name."""
        return map_class_to_label(softmax_of(data).tolist(), self.mapping)

    def get_insights(self, text_preprocess: Any, _: Any, target: Any = 0) -> Any:
        """Return how much each number of the text moved the model towards a class."""
        text_tensor, tokens = text_preprocess
        moved = self.lig.attribute(
            text_tensor,
            torch.zeros_like(text_tensor),
            additional_forward_args=torch.tensor([0], device=self.device),
            return_convergence_delta=False,
            target=target_of(target),
        )
        return [{"importances": self.summarize_attributions(moved).tolist(), "words": self.get_word_token(tokens)}]
