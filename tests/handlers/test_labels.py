import json

import pytest

from wfctl.handlers.labels import load_label_mapping, map_class_to_label


@pytest.mark.parametrize(
    ("written", "mapping"),
    [
        ({"0": "cat"}, {"0": "cat"}),
        ({"0": ["n0123", "cat"]}, {"0": "cat"}),
        ({"object_type_names": ["bird", "cat"]}, {"0": "bird", "1": "cat"}),
    ],
)
def test_names_are_read_in_each_known_form(tmp_path, written, mapping):
    path = tmp_path / "index_to_name.json"
    path.write_text(json.dumps(written), encoding="utf-8")
    assert load_label_mapping(str(path)) == mapping


def test_a_model_without_the_file_has_no_names_and_a_warning_says_so(tmp_path, caplog):
    assert load_label_mapping(str(tmp_path / "index_to_name.json")) is None
    assert '"index_to_name.json" is not in the archive, so classes are named by their numbers' in caplog.text


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = tmp_path / "index_to_name.json"
    path.write_text('{"0": "größe"}', encoding="utf-8-sig")
    assert load_label_mapping(str(path)) == {"0": "größe"}


@pytest.mark.parametrize(
    "written", ["", "[]", '{"0": 5}', '{"0": []}', '{"0": ["cat", 1]}', '{"object_type_names": 5}']
)
def test_a_file_of_another_form_is_refused_by_name(tmp_path, written):
    path = tmp_path / "index_to_name.json"
    path.write_text(written, encoding="utf-8")
    with pytest.raises(ValueError, match=r"index_to_name\.json"):
        load_label_mapping(str(path))


def test_probabilities_get_the_names_of_their_classes():
    assert map_class_to_label([[0.9, 0.1]], {"0": "cat"}) == [{"cat": 0.9, "1": 0.1}]
    assert map_class_to_label([[0.9, 0.1]], {"7": "cat"}, [[7, 3]]) == [{"cat": 0.9, "3": 0.1}]
    with pytest.raises(TypeError):
        map_class_to_label(((0.9,),))


def test_classes_without_a_name_keep_their_number():
    assert map_class_to_label([[0.5, 0.5], [0.1, 0.9]]) == [{"0": 0.5, "1": 0.5}, {"0": 0.1, "1": 0.9}]
    assert map_class_to_label([], {"0": "cat"}) == []


def test_names_must_be_plain_texts():
    with pytest.raises(TypeError):
        map_class_to_label([[0.9]], {"0": ["n0123", "cat"]})
    with pytest.raises(TypeError, match="names of classes must be a dictionary, not list"):
        map_class_to_label([[0.9]], ["cat"])


def test_any_value_may_stand_in_the_place_of_a_probability():
    assert map_class_to_label([[[1, 2, 3, 4]]], {"7": "dog"}, [[7]]) == [{"dog": [1, 2, 3, 4]}]
