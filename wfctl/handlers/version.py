"""The release of TorchServe whose behaviour handlers find here.

Invariant: not our own version; that is ``wfctl.__version__``.
"""

__version__ = "0.12.0"
