"""When New York trades."""
from datetime import date, time

OPEN = time(9, 30)
CLOSE = time(16, 0)

HOLIDAYS = {
    date(2026, 1, 1), date(2026, 1, 19), date(2026, 2, 16), date(2026, 4, 3), date(2026, 5, 25),
    date(2026, 6, 19), date(2026, 7, 3), date(2026, 9, 7), date(2026, 11, 26), date(2026, 12, 25),
}


def is_open(now):
    if now.weekday() >= 5 or now.date() in HOLIDAYS:
        return False
    return OPEN <= now.time() < CLOSE
