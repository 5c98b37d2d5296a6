"""The classes of emotion as action units, and these as positions of the parts of a face."""

import pytest

from datasets.simulated import emotions


def test_moves_are_those_of_the_action_units():
    for name, units in emotions.ACTION_UNITS.items():
        moved = emotions.move_parts(name, [0.5] * len(units))
        assert set(moved) == {part for unit in units for part in emotions.MOVES[unit]}
        for part, move in moved.items():
            assert move == pytest.approx(0.5 * sum(emotions.MOVES[unit].get(part, 0) for unit in units))
