import pytest
import torch

from wfctl.handlers.text.contractions import CONTRACTION_MAP
from wfctl.handlers.text.text_handler import TextHandler

EMBEDS = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.EmbeddingBag(4, 2)
    def forward(self, text, offsets):
        return self.embedding(text, offsets)
"""


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("i can't, you couldn't", "i cannot, you could not"),
        ("WE'RE Here", "We are Here"),
        ("she'd've", "she wouldve"),  # the shorter one matches first, as it always did
        ("it ain't so", "it as not so"),
        ("the cat's o'clock", "the cats of the clock"),
        ("y'all'd go", "you alld go"),
    ],
)
def test_contractions_are_written_out_as_models_were_fed_with_them(text, expanded):
    assert TextHandler()._expand_contractions(text) == expanded


def test_every_contraction_keeps_its_first_letter():
    handler = TextHandler()
    for contraction, words in CONTRACTION_MAP.items():
        assert handler._expand_contractions(contraction.upper())[-3:] == words[-3:]
        assert contraction.count("'") == 1 or contraction == "sha'n't"


def test_texts_are_cleaned_step_by_step():
    handler = TextHandler()
    assert handler._remove_html_tags("<b>a</b> &amp;&#39;&#x27;b") == "a b"
    assert handler._remove_accented_characters("Ñandú ½ ﬁ") == "Nandu 12 fi"
    assert handler._remove_punctuation("a-b, c!") == handler._remove_puncutation("a-b, c!") == "ab c"
    assert handler._tokenize("It works.") == ["it", "works", "."]
    assert handler.get_word_token(["\u0120word", "s"]) == ["word", "s"]


def test_the_vocabulary_comes_from_the_archive(context, model_file, tmp_path):
    name = model_file(EMBEDS)
    with pytest.raises(RuntimeError, match=r'"source_vocab\.pt" is not in the archive'):
        TextHandler().initialize(context(modelFile=name))
    torch.save({"a": 1}, tmp_path / "source_vocab.pt")
    made = TextHandler()
    made.initialize(context(modelFile=name))
    assert (made.source_vocab, made.initialized) == ({"a": 1}, True)


def test_an_old_manifest_names_the_vocabulary(context, model_file, tmp_path):
    torch.save({"b": 2}, tmp_path / "words.pt")
    made = TextHandler()
    made.initialize(context(modelFile=model_file(EMBEDS), sourceVocab="words.pt"))
    assert made.source_vocab == {"b": 2}


def test_attributions_are_shares_of_the_whole():
    summed = TextHandler().summarize_attributions(torch.tensor([[1.0, 1.0], [3.0, 3.0]]))
    assert torch.allclose(summed, torch.full((2, 2), 0.5) / 2**0.5)
    assert torch.allclose(TextHandler().summarize_attributions(torch.zeros(4)), torch.full((4,), 0.25))
