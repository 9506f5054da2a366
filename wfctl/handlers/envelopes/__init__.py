"""Envelopes: a serving protocol's requests made into what a handler takes, and its results into the answer.

Known to archives as ``ts.torch_handler.request_envelope``.
"""
