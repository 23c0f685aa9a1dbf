"""How a packing is read back that was remembered."""

from dataclasses import asdict
from typing import Any

import pytest

from lrsearch.training.packs.size import Packing, packing_from


@pytest.mark.parametrize("packing", [Packing(1, ()), Packing(27, ("captured", "stacked"))])
def test_a_packing_is_read_back_as_it_was(packing: Packing) -> None:
    kept = asdict(packing)
    assert packing_from({**kept, "ways": list(kept["ways"])}) == packing


@pytest.mark.parametrize(
    "kept", [None, 9, {"size": 0, "ways": []}, {"size": 3}, {"size": 3, "ways": ["of old"]}]
)
def test_what_is_no_packing_is_measured_anew(kept: Any) -> None:
    assert packing_from(kept) is None
