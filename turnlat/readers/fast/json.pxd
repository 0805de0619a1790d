# cython: language_level=3
"""JSON's grammar: where values end, and what they are.

Each function is given where something begins, and tells where it ends: null where that is not
surely what JSON allows. All text ends with NUL, and no value holds a newline or NUL: so whoever
looks at one byte after another stops there; who looks at many at once is told the `end`.
"""

from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr

cdef extern from "words.h":
    const uint64_t* POWERS
    const double* EXACT_POWERS
    size_t plain_bytes(const unsigned char* at, const unsigned char* end) noexcept
    bint are_same(const unsigned char* one, const unsigned char* other, size_t size) noexcept
    int number_of(const unsigned char* at, const unsigned char* end, uint64_t* number) noexcept
    double nearest_quotient(uint64_t mantissa, uint64_t power) noexcept

cdef extern from "Python.h":
    double PyOS_string_to_double(const char* text, char** end, void* overflow) except? -1.0

ctypedef const unsigned char* Text


cdef enum Tag:
    NULL_VALUE
    FALSE_VALUE
    TRUE_VALUE
    NUMBER
    TEXT
    OBJECT
    LIST


cdef struct Value:
    int64_t line  # the line that has it: in any other, its field is missing
    Tag tag
    Text start  # of a text without its quotes
    Text end
    bint is_escaped  # a text with a backslash
    bint is_negative  # a number, as are all below: its mantissa times a power of ten
    bint is_whole  # without fraction and exponent
    uint64_t mantissa
    int digits
    int exponent


cdef enum:
    DEEPEST = 100  # a value nested deeper is left to the plain path, whose limits are others
    MOST_DIGITS = 19  # 64 bits hold any number of so many
    LARGEST_POWER = 300  # what is less than this power of ten is finite


cdef inline bint is_digit(unsigned char byte) noexcept:
    return c"0" <= byte <= c"9"


cdef inline Text after_spaces(Text at) noexcept:
    while at[0] == c" " or at[0] == c"\t" or at[0] == c"\r":
        at += 1
    return at


cdef inline Text after_value(Text at, Text end, Value* value, bint* is_ascii, int depth) noexcept:
    """Behind any value; `is_ascii` becomes false where it has other letters."""
    if at[0] == c'"':
        return after_text(at, end, value, is_ascii)
    if is_digit(at[0]) or at[0] == c"-":
        return after_number(at, end, value)
    if at[0] == c"{" or at[0] == c"[":
        return after_nested(at, end, value, is_ascii, depth)
    if at[0] == c"t":
        return after_word(at, b"true", TRUE_VALUE, value)
    if at[0] == c"f":
        return after_word(at, b"false", FALSE_VALUE, value)
    return after_word(at, b"null", NULL_VALUE, value)


cdef inline Text after_word(Text at, const char* word, Tag tag, Value* value) noexcept:
    while word[0]:
        if at[0] != <unsigned char>word[0]:
            return NULL
        at += 1
        word += 1
    value.tag = tag
    return at


cdef inline Text after_text(Text at, Text end, Value* value, bint* is_ascii) noexcept:
    at += 1
    value.tag, value.start, value.is_escaped = TEXT, at, False
    while True:
        at += plain_bytes(at, end)
        if at[0] == c'"':
            value.end = at
            return at + 1
        if at[0] == c"\\":
            value.is_escaped = True
            at = after_escape(at)
            if at is NULL:
                return NULL
        elif at[0] < 0x20:
            return NULL
        else:
            is_ascii[0] = is_ascii[0] and at[0] < 0x80
            at += 1


cdef inline Text after_escape(Text at) noexcept:
    cdef int unit
    if at[1] != c"u":
        return at + 2 if at[1] and memchr(b'"\\/bfnrt', at[1], 8) is not NULL else NULL
    unit = utf16_unit(at)
    if unit < 0 or 0xDC00 <= unit < 0xE000:
        return NULL
    if 0xD800 <= unit < 0xDC00:
        at += 6
        if at[0] != c"\\" or at[1] != c"u" or not 0xDC00 <= utf16_unit(at) < 0xE000:
            return NULL
    return at + 6


cdef inline int utf16_unit(Text at) noexcept:
    """What the four digits of an escape tell; below 0 where they are none."""
    cdef int unit = 0, place
    cdef unsigned char byte
    for place in range(2, 6):
        byte = at[place]
        if is_digit(byte):
            unit = unit * 16 + byte - c"0"
        elif c"a" <= byte | 0x20 <= c"f":
            unit = unit * 16 + (byte | 0x20) - c"a" + 10
        else:
            return -1
    return unit


cdef inline Text after_number(Text at, Text end, Value* value) noexcept:
    cdef int power = 0
    cdef bint is_small
    value.tag, value.start, value.is_negative = NUMBER, at, at[0] == c"-"
    value.mantissa = value.digits = value.exponent = 0
    at += value.is_negative
    if not is_digit(at[0]) or (at[0] == c"0" and is_digit(at[1])):
        return NULL
    at = after_digits(at, end, value)
    value.is_whole = at[0] != c"." and at[0] | 0x20 != c"e"
    if at[0] == c".":
        if not is_digit(at[1]):
            return NULL
        value.exponent = -<int>(after_digits(at + 1, end, value) - at - 1)
        at += 1 - value.exponent
    if at[0] | 0x20 == c"e":
        is_small = at[1] == c"-"
        at += 2 if is_small or at[1] == c"+" else 1
        if not is_digit(at[0]):
            return NULL
        while is_digit(at[0]):
            power = min(10 * power + at[0] - c"0", LARGEST_POWER)
            at += 1
        if power == LARGEST_POWER:
            return NULL
        value.exponent += -power if is_small else power
    value.end = at
    return at if value.digits + value.exponent < LARGEST_POWER else NULL


cdef inline Text after_digits(Text at, Text end, Value* value) noexcept:
    cdef uint64_t number
    cdef int count = 8
    while value.digits == 0 and at[0] == c"0":
        at += 1
    while count == 8:
        count = number_of(at, end, &number)
        value.mantissa = POWERS[count] * value.mantissa + number
        value.digits += count
        at += count
    return at


cdef inline Text after_nested(Text at, Text end, Value* value, bint* is_ascii, int depth) noexcept:
    """Behind an object or a list."""
    cdef Value item
    cdef bint is_object = at[0] == c"{"
    cdef unsigned char closing = c"}" if is_object else c"]"
    if depth == DEEPEST:
        return NULL
    value.tag = OBJECT if is_object else LIST
    at = after_spaces(at + 1)
    if at[0] == closing:
        return at + 1
    while True:
        if is_object:
            at = after_key(at, end, &item, is_ascii)
            if at is NULL:
                return NULL
        at = after_value(at, end, &item, is_ascii, depth + 1)
        if at is NULL:
            return NULL
        at = after_spaces(at)
        if at[0] != c",":
            return at + 1 if at[0] == closing else NULL
        at = after_spaces(at + 1)


cdef inline Text after_key(Text at, Text end, Value* key, bint* is_ascii) noexcept:
    """Behind a key and its colon, where the value begins."""
    if at[0] != c'"':
        return NULL
    at = after_text(at, end, key, is_ascii)
    if at is NULL:
        return NULL
    at = after_spaces(at)
    return after_spaces(at + 1) if at[0] == c":" else NULL


cdef inline bint is_utf8(Text start, Text end) except -1:
    try:
        PyUnicode_DecodeUTF8(<const char*>start, end - start, NULL)
    except UnicodeDecodeError:
        return False
    return True


cdef inline double double_of(Value* value) except? -1.0:
    """The double nearest to a number."""
    cdef bint is_short = value.mantissa >> 53 == 0  # a double holds it as it is
    cdef double size
    cdef char* end
    if value.digits == 0:
        return -0.0 if value.is_negative and not value.is_whole else 0.0
    if value.digits <= MOST_DIGITS and is_short and -22 <= value.exponent <= 22:
        # One operation on two exact doubles is rounded once.
        if value.exponent < 0:
            size = <double>value.mantissa / EXACT_POWERS[-value.exponent]
        else:
            size = <double>value.mantissa * EXACT_POWERS[value.exponent]
    elif value.digits <= MOST_DIGITS and -MOST_DIGITS <= value.exponent < 0:
        size = nearest_quotient(value.mantissa, POWERS[-value.exponent])
    else:
        return PyOS_string_to_double(<const char*>value.start, &end, NULL)
    return -size if value.is_negative else size
