"""Each fault that would cost money makes the suite fail: docs/planted-faults.md says which test minds which."""

import pytest

from tools.planted_faults import FAULTS, Fault, catches


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_noticed(fault: Fault) -> None:
    assert catches(fault)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_can_still_be_planted(fault: Fault) -> None:
    assert fault.text().count(fault.sound) == 1
