"""SASLprep (RFC 4013): names and passwords in the one form in which they are compared."""

from __future__ import annotations

import stringprep
import unicodedata


def saslprep(text: str) -> str:
    """RFC 4013 for stored strings; raises ValueError for what it prohibits."""
    mapped = "".join(
        " " if stringprep.in_table_c12(one) else one
        for one in text
        if not stringprep.in_table_b1(one)
    )
    done = unicodedata.normalize("NFKC", mapped)
    prohibited = (
        stringprep.in_table_a1,
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
    )
    for one in done:
        if any(table(one) for table in prohibited):
            raise ValueError(f"U+{ord(one):04X} is not allowed in names and passwords")
    rtl = [stringprep.in_table_d1(one) for one in done]
    if any(rtl) and (any(stringprep.in_table_d2(one) for one in done) or not (rtl[0] and rtl[-1])):
        raise ValueError("text of both directions is not allowed in names and passwords")
    return done
