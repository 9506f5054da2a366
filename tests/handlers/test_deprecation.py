import pytest

from wfctl.handlers.deprecation import deprecated


def test_a_call_warns_and_does_what_it_did():
    @deprecated(version="2", replacement="new")
    def old(value, *, more):
        """Say it."""
        return value, more

    with pytest.warns(PendingDeprecationWarning, match="old is deprecated in 2; use new") as caught:
        assert old(1, more=2) == (1, 2)
    assert caught[0].filename == __file__
    assert (old.__name__, old.__doc__) == ("old", "Say it.")


def test_the_kind_of_warning_can_be_chosen():
    with pytest.warns(DeprecationWarning, match="int is deprecated in 3$"):
        assert deprecated(3, klass=DeprecationWarning)(int)("5") == 5
