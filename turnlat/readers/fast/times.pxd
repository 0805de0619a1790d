# cython: language_level=3
"""Times: ISO-8601 as LiveKit's formatter writes it."""

from libc.stdint cimport int64_t

from turnlat.readers.fast.json cimport Text, is_digit


cdef inline double seconds_of(Text at, Text end) noexcept:
    """The Unix seconds of a time such as 2026-11-22T07:20:04.253072+00:00; below 0 of any other."""
    cdef int year, month, day, hour, minute, second, hour_offset, minute_offset
    cdef int micro = 0, offset = 0
    cdef int64_t days, minutes
    if end - at < 19 or not (at[4] == at[7] == c"-" and at[10] == c"T" and at[13] == at[16] == c":"):
        return -1
    year, month, day = 100 * two_digits(at) + two_digits(at + 2), two_digits(at + 5), two_digits(at + 8)
    hour, minute, second = two_digits(at + 11), two_digits(at + 14), two_digits(at + 17)
    if not (year >= 1970 and 1 <= month <= 12 and 1 <= day <= days_of(year, month)):
        return -1
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        return -1
    at += 19
    if at[0] == c".":
        if end - at < 7 or min(two_digits(at + 1), two_digits(at + 3), two_digits(at + 5)) < 0:
            return -1
        micro = 10_000 * two_digits(at + 1) + 100 * two_digits(at + 3) + two_digits(at + 5)
        at += 7
    if end - at == 6 and (at[0] == c"+" or at[0] == c"-") and at[3] == c":":
        hour_offset, minute_offset = two_digits(at + 1), two_digits(at + 4)
        if not (0 <= hour_offset < 24 and 0 <= minute_offset < 60):
            return -1
        offset = 60 * hour_offset + minute_offset
        if at[0] == c"-":
            offset = -offset
    elif not (at == end or (at + 1 == end and at[0] == c"Z")):
        return -1
    days = days_before(year, month) + day - 1
    minutes = (24 * days + hour) * 60 + minute - offset
    return ((60 * minutes + second) * 1_000_000 + micro) / 1e6


cdef inline int two_digits(Text at) noexcept:
    """The number of two digits; far below 0 where they are none."""
    return 10 * (at[0] - c"0") + at[1] - c"0" if is_digit(at[0]) and is_digit(at[1]) else -100_000


cdef inline int days_of(int year, int month) noexcept:
    cdef bint is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if month == 2:
        return 28 + is_leap
    return 30 + ((month + month // 8) % 2)


cdef inline int64_t days_before(int year, int month) noexcept:
    """From 1970 to the first of a month."""
    cdef int each
    cdef int64_t before = year - 1
    cdef int64_t days = 365 * before + before // 4 - before // 100 + before // 400 - 719_162
    for each in range(1, month):
        days += days_of(year, each)
    return days
