"""Time left: by the work at hand, whatever the same job did before."""

import pytest

from annotator.pace import WINDOW_SECONDS, Pace


def told(*reports):
    """The pace after (second, done, total) of each report."""
    pace = Pace()
    for at, done, total in reports:
        pace.note(done, total, at)
    return pace


def test_time_left_follows_the_pace_and_runs_down_between_two_reports():
    pace = told((0, 0, 100), (10, 10, 100), (20, 20, 100))
    assert pace.seconds_left(20) == pytest.approx(80)
    assert pace.seconds_left(25) == pytest.approx(75)


def test_a_long_training_before_it_does_not_count_for_the_prediction():
    pace = told((0, 0, 200), (600, 200, 200), (601, 0, 4_000), (602, 10, 4_000), (604, 30, 4_000))
    assert pace.seconds_left(604) == pytest.approx(397)


def test_what_an_earlier_attempt_had_done_is_not_taken_for_speed():
    pace = told((0, 0, 4_000), (1, 3_000, 4_000))
    assert pace.seconds_left(1) is None
    pace.note(3_010, 4_000, 11)
    assert pace.seconds_left(11) == pytest.approx(990)


def test_only_the_last_minute_counts():
    quick = [(second / 10, 100 * second, 100_000) for second in range(100)]
    slow = [(10 + 10 * step, 9_900 + step, 100_000) for step in range(1, 20)]
    pace = told(*quick, *slow)
    assert pace.seconds_left(200) == pytest.approx(10 * (100_000 - 9_919))


def test_one_step_that_is_longer_than_the_window_is_a_pace_too():
    long = 2 * WINDOW_SECONDS
    pace = told((0, 0, 5), (long, 1, 5), (2 * long, 2, 5), (3 * long, 3, 5))
    assert pace.seconds_left(3 * long) == pytest.approx(2 * long)


def test_many_reports_a_second_are_kept_as_few():
    pace = told(*((step / 1_000, step, 10_000) for step in range(5_000)))
    assert len(pace._points) < 20
    assert pace.seconds_left(5) == pytest.approx(5, rel=0.05)
