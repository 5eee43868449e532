"""Writes testdata/golden/time.tsv: timestamps in microseconds, their RFC 3339 text and ISO week date,
by Python's datetime (years 1 to 9999). Made with CPython 3.11, standard library only.

usage: python3 scripts/golden_time.py > testdata/golden/time.tsv
"""

import random
from datetime import datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
FIRST = datetime(1, 1, 8, tzinfo=timezone.utc)
LAST = datetime(9999, 12, 20, tzinfo=timezone.utc)


def main():
    rng = random.Random(17)
    span = (LAST - FIRST) // timedelta(microseconds=1)
    times = [FIRST + timedelta(microseconds=rng.randrange(span)) for _ in range(250)]
    for year in (1600, 1700, 1899, 1900, 1969, 1970, 1999, 2000, 2004, 2015, 2020, 2024, 2026, 2100):
        for month, day in ((1, 1), (1, 4), (2, 28), (3, 1), (12, 28), (12, 31)):
            times.append(datetime(year, month, day, 23, 59, 59, 999000, tzinfo=timezone.utc))
    print("# timestamp_us\trfc3339\tiso_week_date")
    for i, t in enumerate(times):
        us = (t - EPOCH) // timedelta(microseconds=1)
        if i % 3 == 0:
            t = t.replace(microsecond=0)
            us = (t - EPOCH) // timedelta(microseconds=1)
        year, week, day = t.isocalendar()
        print(f"{us}\t{t.isoformat()}\t{year:04}-W{week:02}-{day}")


main()
