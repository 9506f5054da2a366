"""What fields of HTTP are made of (RFC 9110, section 5), as pieces of regular expressions.

They give nothing back once they have matched, so that no text is looked at twice.
"""

NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
VALUE = r"[\t -~\x80-\xff]*+"
