"""How much an archive may hold: generous for models, finite for attacks."""

from dataclasses import dataclass

_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """Upper bounds that hold while bytes are read, whatever the archive declares."""

    members: int = 100_000
    total_bytes: int = 64 << 30
    """All members together, unpacked."""
    free_bytes: int = 64 * _MIB
    """A member may grow to this size whatever it was compressed from."""
    ratio: int = 250
    """Beyond ``free_bytes``, unpacked bytes per packed byte; trained weights stay under 10."""
    directory_bytes: int = 64 * _MIB
    """The table of contents of a zip."""
    manifest_bytes: int = _MIB
    spec_bytes: int = 4 * _MIB
    handler_bytes: int = 8 * _MIB

    def member_limit(self, packed: int) -> int:
        """Return how many bytes a member packed into ``packed`` bytes may become."""
        return max(self.free_bytes, self.ratio * packed)


DEFAULT_BUDGETS = Budgets()
