"""The active ingredient of every kinetic model, by its name in RxNorm.

Names only: which codes stand for them is told by ``vht.concepts``, where codes were checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

INGREDIENTS: Mapping[str, str] = MappingProxyType(
    {
        "docetaxel_ozawa": "docetaxel",
        "docetaxel_onoue": "docetaxel",
        "paclitaxel": "paclitaxel",
        "paclitaxel_linear": "paclitaxel",
        "capecitabine": "capecitabine",
        "temozolomide": "temozolomide",
        "pembrolizumab": "pembrolizumab",
        "sunitinib": "sunitinib",
        "doxorubicin": "doxorubicin",
        "doxorubicin_children": "doxorubicin",
        "trastuzumab": "trastuzumab",
    }
)
"""By model."""
