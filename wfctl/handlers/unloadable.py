"""What is wrong with an archive, or missing beside it, in words that are the whole story.

Invariant: kinds only. Each is also the kind of exception that the original raises in its place, for handlers that catch
those.
"""


class Unloadable:
    """Marks exceptions whose words say what to mend: where in our own code it was noticed helps nobody."""


class UnloadableModelError(Unloadable, RuntimeError):
    """The weights of a model cannot be loaded."""


class UnfitFileError(Unloadable, ValueError):
    """A file of the archive does not say what it should."""


class MissingExtraError(Unloadable, ModuleNotFoundError):
    """A library that the handler needs is not installed."""


class UnfitExtraError(Unloadable, ImportError):
    """A library that the handler needs does not fit the installed torch."""
