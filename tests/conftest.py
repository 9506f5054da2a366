"""Being here, it puts this folder on the import path: tests say ``from fakes.plans import ...``."""
