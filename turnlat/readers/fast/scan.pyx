# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The scanner: metrics from lines of JSON straight into columns, without an object for any of them.

It takes a line only where it is sure of it: one object that JSON allows, with all fields of its
kind as they should be. It skips no value unread, so that what it takes the plain path would have
taken, to the same columns; all else it leaves to that path. What to look for, a `Layout` tells.

Bounds: a line ends with a newline, the last one with the NUL that ends every `bytes`. Neither is
part of any value, so whoever looks at one byte after another stops there at the latest; `end` is
the end of all lines, for those who look at many bytes at once.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.math cimport NAN
from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp, memcpy, memset

cdef extern from *:
    """
    #include <math.h>
    #include <stdint.h>
    #include <string.h>
    #ifdef __SSE2__
    #include <emmintrin.h>
    #endif

    #define EACH_BYTE 0x0101010101010101u
    #define HIGH_BITS 0x8080808080808080u

    /* How many bytes from `at` on surely are ASCII that a text holds as it is: many at a time, of
       which a bit is set for each that is a quote, a backslash, a control or no ASCII. */
    static inline size_t plain_bytes(const unsigned char *at, const unsigned char *end) {
        const unsigned char *start = at;
    #ifdef __SSE2__
        for (; end - at >= 16; at += 16) {
            __m128i word = _mm_loadu_si128((const __m128i *)at);
            /* What is no ASCII is below 0 here, so that it is below a space too. */
            __m128i odd = _mm_or_si128(_mm_cmplt_epi8(word, _mm_set1_epi8(0x20)),
                                       _mm_or_si128(_mm_cmpeq_epi8(word, _mm_set1_epi8(0x22)),
                                                    _mm_cmpeq_epi8(word, _mm_set1_epi8(0x5C))));
            int bits = _mm_movemask_epi8(odd);
            if (bits) return at - start + __builtin_ctz(bits);
        }
    #endif
        for (; end - at >= 8; at += 8) {
            uint64_t word, odd;
            memcpy(&word, at, 8);
            odd = ((word ^ (EACH_BYTE * 0x22)) - EACH_BYTE)
                | ((word ^ (EACH_BYTE * 0x5C)) - EACH_BYTE)
                | (word - EACH_BYTE * 0x20);
            odd = ((odd & ~word) | word) & HIGH_BITS;
            if (odd) {
    #if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
                at += __builtin_ctzll(odd) >> 3;
    #endif
                break;
            }
        }
        return at - start;
    }

    static inline int are_eight_digits(const unsigned char *at) {
        uint64_t word;
        memcpy(&word, at, 8);
        /* Adding 6 takes whatever is above 9 out of the 16 characters that begin with 0. */
        return ((word & (word + EACH_BYTE * 6)) & (EACH_BYTE * 0xF0)) == EACH_BYTE * 0x30;
    }

    static inline uint64_t eight_digits(const unsigned char *at) {
    #if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        uint64_t word;
        memcpy(&word, at, 8);
        word -= EACH_BYTE * '0';
        word = 10 * word + (word >> 8);  /* every second byte: two digits */
        word = (word & 0x000000FF000000FF) * (1000000 * 0x100000000 + 100)
            + ((word >> 16) & 0x000000FF000000FF) * (10000 * 0x100000000 + 1);
        return word >> 32;
    #else
        uint64_t number = 0;
        int place;
        for (place = 0; place < 8; place++) number = 10 * number + at[place] - '0';
        return number;
    #endif
    }

    /* The double nearest to `mantissa` / `power`, both above 0; of two as near, the even one. */
    static inline double nearest_quotient(uint64_t mantissa, uint64_t power) {
        int shift = 63 + __builtin_clzll(mantissa) - __builtin_clzll(power);
        unsigned __int128 scaled = (unsigned __int128)mantissa << shift;
        uint64_t quotient = (uint64_t)(scaled / power);
        quotient |= (uint64_t)scaled != quotient * power;  /* what is left over decides a tie */
        return ldexp((double)quotient, -shift);
    }
    """
    size_t plain_bytes(const unsigned char* at, const unsigned char* end) noexcept
    bint are_eight_digits(const unsigned char* at) noexcept
    uint64_t eight_digits(const unsigned char* at) noexcept
    double nearest_quotient(uint64_t mantissa, uint64_t power) noexcept

cdef extern from "Python.h":
    double PyOS_string_to_double(const char* text, char** end, void* overflow) except? -1.0


# -- JSON: each function is given where something begins, and tells where it ends: null where that
# -- is not surely what JSON allows.

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


cdef Text after_escape(Text at) noexcept:
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


cdef int utf16_unit(Text at) noexcept:
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
    while is_digit(at[0]):
        if value.digits and end - at >= 8 and are_eight_digits(at):
            value.mantissa = 100_000_000 * value.mantissa + eight_digits(at)
            value.digits += 8
            at += 8
            continue
        value.mantissa = 10 * value.mantissa + at[0] - c"0"
        value.digits += value.mantissa != 0 or value.digits != 0
        at += 1
    return at


cdef Text after_nested(Text at, Text end, Value* value, bint* is_ascii, int depth) noexcept:
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


cdef bint is_utf8(Text start, Text end) except -1:
    try:
        PyUnicode_DecodeUTF8(<const char*>start, end - start, NULL)
    except UnicodeDecodeError:
        return False
    return True


cdef uint64_t[MOST_DIGITS + 1] POWERS
cdef double[23] EXACT_POWERS  # doubles hold these powers of ten as they are, and no larger one
for _power in range(MOST_DIGITS + 1):
    POWERS[_power] = 10**_power
for _power in range(23):
    EXACT_POWERS[_power] = float(10**_power)


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


# -- Columns

cdef enum:
    NO_TRUTH = -1  # a truth value that is null


cdef class Bytes:
    """Bytes, and room for more behind them."""

    cdef char* start
    cdef Py_ssize_t size
    cdef Py_ssize_t room

    def __cinit__(self):
        self.make_room(0)

    def __dealloc__(self):
        free(self.start)

    cdef inline int put(self, const void* what, Py_ssize_t size) except -1:
        if self.size + size > self.room:
            self.make_room(size)
        memcpy(self.start + self.size, what, size)
        self.size += size
        return 0

    cdef int make_room(self, Py_ssize_t size) except -1:
        cdef Py_ssize_t room = 2 * (self.size + size) + 1024
        cdef void* start = realloc(self.start, room)
        if start is NULL:
            raise MemoryError
        self.start, self.room = <char*>start, room
        return 0

    cdef bytes taken(self):
        """All bytes; the next one is the first again."""
        found = PyBytes_FromStringAndSize(self.start, self.size) if self.size else b""
        self.size = 0
        return found

    cdef bint are_alike(self, Py_ssize_t size) noexcept:
        """Whether all values of so many bytes are the same."""
        return self.size == 0 or memcmp(self.start, self.start + size, self.size - size) == 0

    cdef object numbers(self):
        """All doubles, as a column: an array of a type that holds them, or what all of them are."""
        cdef Py_ssize_t count = self.size // sizeof(double), at
        cdef double* numbers = <double*>self.start
        cdef bint are_short = True
        if self.are_alike(sizeof(double)):
            self.size = 0
            return None if count == 0 or numbers[0] != numbers[0] else numbers[0]
        for at in range(count):
            are_short &= <float>numbers[at] == numbers[at] or numbers[at] != numbers[at]
        if not are_short:
            return self.taken(), "f8"
        # A short number goes where those before it were.
        for at in range(count):
            (<float*>self.start)[at] = <float>numbers[at]
        self.size = count * sizeof(float)
        return self.taken(), "f4"

    cdef object truths(self):
        """All truth values, as a column."""
        cdef int8_t first = (<int8_t*>self.start)[0]
        if self.are_alike(sizeof(int8_t)):
            is_null, self.size = self.size == 0 or first == NO_TRUTH, 0
            return None if is_null else first == 1
        return self.taken(), "i1"

    cdef tuple narrow(self):
        """All numbers of 32 bits, as an array of the narrowest type that holds them."""
        cdef Py_ssize_t count = self.size // sizeof(uint32_t), at
        cdef uint32_t* numbers = <uint32_t*>self.start
        cdef uint32_t all_bits = 0
        for at in range(count):
            all_bits |= numbers[at]
        if all_bits >> 16:
            return self.taken(), "u4"
        # As above: each goes where those before it were.
        if all_bits >> 8:
            for at in range(count):
                (<uint16_t*>self.start)[at] = <uint16_t>numbers[at]
            self.size = count * sizeof(uint16_t)
            return self.taken(), "u2"
        for at in range(count):
            (<uint8_t*>self.start)[at] = <uint8_t>numbers[at]
        self.size = count
        return self.taken(), "u1"


cdef class Places:
    """Numbers for different texts, in the order of their coming."""

    cdef Bytes texts
    cdef Bytes ends  # of each text among `texts`: Py_ssize_t
    cdef uint32_t* table  # by its hash the number of a text and 1; 0 where there is none
    cdef uint32_t mask
    cdef uint32_t count

    def __cinit__(self):
        self.texts, self.ends = Bytes(), Bytes()
        self.resize(1023)

    def __dealloc__(self):
        free(self.table)

    cdef int resize(self, uint32_t mask) except -1:
        """Have a table of `mask` + 1 places for the texts that there are."""
        cdef uint32_t number, at
        cdef Text start
        cdef Py_ssize_t size
        cdef void* table = realloc(self.table, (mask + 1) * sizeof(uint32_t))
        if table is NULL:
            raise MemoryError
        self.table, self.mask = <uint32_t*>table, mask
        memset(self.table, 0, (mask + 1) * sizeof(uint32_t))
        for number in range(self.count):
            self.find(number, &start, &size)
            at = hash_of(start, size) & mask
            while self.table[at]:
                at = (at + 1) & mask
            self.table[at] = number + 1
        return 0

    cdef inline void find(self, uint32_t number, Text* start, Py_ssize_t* size) noexcept:
        """Where the text with a number is."""
        cdef Py_ssize_t* ends = <Py_ssize_t*>self.ends.start
        cdef Py_ssize_t first = ends[number - 1] if number else 0
        start[0] = <Text>self.texts.start + first
        size[0] = ends[number] - first

    cdef inline int64_t number(self, Text start, Py_ssize_t size) except -1:
        """The number of a text."""
        cdef uint32_t at = hash_of(start, size) & self.mask
        cdef Text known
        cdef Py_ssize_t known_size
        while self.table[at]:
            self.find(self.table[at] - 1, &known, &known_size)
            if known_size == size and memcmp(known, start, size) == 0:
                return self.table[at] - 1
            at = (at + 1) & self.mask
        self.texts.put(start, size)
        self.ends.put(&self.texts.size, sizeof(Py_ssize_t))
        self.count += 1
        self.table[at] = self.count
        if self.count > self.mask // 2:
            self.resize(4 * self.mask + 3)
        return self.count - 1

    cdef list taken(self):
        """All texts; the next one has the number 0 again."""
        cdef Text start
        cdef Py_ssize_t size
        cdef uint32_t number
        found = []
        for number in range(self.count):
            self.find(number, &start, &size)
            found.append(PyUnicode_DecodeUTF8(<const char*>start, size, NULL))
        self.texts.size = self.ends.size = self.count = 0
        memset(self.table, 0, (self.mask + 1) * sizeof(uint32_t))
        return found


cdef inline uint32_t hash_of(Text start, Py_ssize_t size) noexcept:
    cdef uint64_t hashed = <uint64_t>size
    cdef uint64_t word
    while size >= 8:
        memcpy(&word, start, 8)
        hashed = mixed(hashed, word)
        start += 8
        size -= 8
    word = 0
    memcpy(&word, start, size)
    return <uint32_t>mixed(hashed, word)


cdef inline uint64_t mixed(uint64_t hashed, uint64_t word) noexcept:
    hashed = (hashed ^ word) * 0xFF51AFD7ED558CCDu
    return hashed ^ hashed >> 32


# -- Lines

cdef enum:
    MOST_NAMES = 128
    TABLE_SIZE = 512
    MOST_COLUMNS = 24
    NO_LINE = -1


cdef class Names:
    """Numbers for the names that are looked for."""

    cdef list names
    cdef Text[MOST_NAMES] starts
    cdef Py_ssize_t[MOST_NAMES] sizes
    cdef int[TABLE_SIZE] table

    def __cinit__(self, names):
        cdef int number
        cdef int at
        self.names = [name.encode() for name in names]
        if len(self.names) > MOST_NAMES:
            raise ValueError(f"more than {MOST_NAMES} names")
        for at in range(TABLE_SIZE):
            self.table[at] = -1
        for number, name in enumerate(self.names):
            self.starts[number], self.sizes[number] = <Text>PyBytes_AS_STRING(name), len(name)
            at = hash_of_name(self.starts[number], self.sizes[number])
            while self.table[at] >= 0:
                at = (at + 1) % TABLE_SIZE
            self.table[at] = number

    cdef inline int number(self, Value* text) noexcept:
        """The number of a name; below 0 where it is not looked for."""
        cdef Py_ssize_t size = text.end - text.start
        cdef uint32_t at = hash_of_name(text.start, size)
        cdef int number = self.table[at]
        while number >= 0:
            if self.sizes[number] == size and memcmp(self.starts[number], text.start, size) == 0:
                break
            at = (at + 1) % TABLE_SIZE
            number = self.table[at]
        return number


cdef inline uint32_t hash_of_name(Text start, Py_ssize_t size) noexcept:
    if size == 0:
        return 0
    return (7 * start[0] + 31 * start[size // 2] + 67 * start[size - 1] + 101 * size) % TABLE_SIZE


cdef struct Fields:
    int count
    int[MOST_COLUMNS] numbers


cdef Fields fields_of(names, dict numbers) except *:
    cdef Fields fields
    if len(names) > MOST_COLUMNS:
        raise ValueError(f"more than {MOST_COLUMNS} columns")
    fields.count = len(names)
    for at, name in enumerate(names):
        fields.numbers[at] = numbers[name]
    return fields


cdef class Kind:
    """The records of one kind that lines of one shape hold."""

    cdef object layout
    cdef bint is_plain
    cdef Fields numbers, truths, essential, never
    cdef list number_columns, truth_columns
    cdef bint has_requests
    cdef Bytes times, lines, speeches, origins, models, requests
    cdef Places names_of_models

    def __cinit__(self, layout, fields):
        self.layout, self.is_plain = layout, layout.plain
        self.numbers = fields_of(layout.numbers, fields)
        self.truths = fields_of(layout.truths, fields)
        self.essential = fields_of(layout.essential, fields)
        self.never = fields_of(layout.never, fields)
        self.number_columns = [Bytes() for _ in layout.numbers]
        self.truth_columns = [Bytes() for _ in layout.truths]
        self.times, self.lines, self.requests = Bytes(), Bytes(), Bytes()
        self.speeches, self.origins, self.models = Bytes(), Bytes(), Bytes()
        self.names_of_models = Places()

    cdef tuple taken(self):
        """The layout, how many records there are, and what a `Taken` tells of them."""
        cdef Py_ssize_t height = self.times.size // sizeof(double)
        columns = {}
        for name, column in zip(self.layout.numbers, self.number_columns):
            columns[name] = (<Bytes>column).numbers()
        for name, column in zip(self.layout.truths, self.truth_columns):
            columns[name] = (<Bytes>column).truths()
        columns["timestamp"] = self.times.taken(), "f8"
        columns["line"] = self.lines.narrow()
        requests = self.requests.taken() if self.has_requests else None
        self.requests.size, self.has_requests = 0, False
        return (
            self.layout,
            height,
            columns,
            requests,
            self.speeches.narrow(),
            self.origins.narrow(),
            self.models.narrow(),
            self.names_of_models.taken(),
        )


cdef class Scanner:
    """Takes in the records of lines that it is sure of."""

    cdef Names fields, types, messages
    cdef list kinds_of_types, kinds_of_messages, kinds
    cdef Value[MOST_NAMES] values  # of each field
    cdef Names of_metadata
    cdef Value model  # the only one of these
    cdef int64_t line  # the one that is looked at
    cdef Value* type
    cdef Value* message
    cdef Value* timestamp
    cdef Value* metadata
    cdef Value* model_name
    cdef Value* speech
    cdef Value* request
    cdef Value* pid
    cdef Value* tid
    cdef Fields origin, marks
    cdef double earliest, latest
    cdef Places speeches, origins
    cdef Bytes told  # of the session, by the line that is looked at

    def __cinit__(self, layout):
        numbers = {name: number for number, name in enumerate(layout.fields)}
        kinds = {kind: Kind(kind, numbers) for kind in layout.kinds}
        self.kinds = list(kinds.values())
        self.fields, self.of_metadata = Names(layout.fields), Names(["model_name"])
        self.types, self.messages = Names(layout.types), Names(layout.messages)
        self.kinds_of_types = [kinds[kind] for kind in layout.types.values()]
        self.kinds_of_messages = [kinds[kind] for kind in layout.messages.values()]
        self.origin, self.marks = fields_of(layout.origin, numbers), fields_of(layout.marks, numbers)
        self.earliest, self.latest = layout.earliest, layout.latest
        self.type, self.message = self.value("type", numbers), self.value("message", numbers)
        self.timestamp = self.value("timestamp", numbers)
        self.metadata = self.value("metadata", numbers)
        self.model_name = self.value("model_name", numbers)
        self.speech = self.value("speech_id", numbers)
        self.request = self.value("request_id", numbers)
        self.pid, self.tid = self.value("pid", numbers), self.value("tid", numbers)
        self.speeches, self.origins, self.told = Places(), Places(), Bytes()

    cdef Value* value(self, name, dict numbers) except NULL:
        return &self.values[<int>numbers[name]]

    def scan(self, bytes data, uint32_t before):
        """Take in lines: how many there are, and how many have no metric; those that are left.

        Of these the number, the first one's being 0, and where in `data` it begins and ends.
        So many lines lie `before` them, after the first that was taken in since `taken`.
        """
        cdef Text first = <Text>PyBytes_AS_STRING(data), start = first, end
        cdef Text last = first + PyBytes_GET_SIZE(data)
        cdef uint32_t number = 0, ordinary = 0
        left = []
        while start < last:
            self.line += 1
            end = self.end_of_object(start, last)
            if end is not NULL and self.is_ordinary():
                ordinary += 1
            elif end is NULL or not self.take(before + number):
                end = end_of_line(start, last)
                left.append((number, start - first, end - first))
            number += 1
            start = end + 1
        return number, ordinary, left

    def taken(self):
        """All records since the last call: texts of speeches and of origins, and of each kind."""
        return self.speeches.taken(), self.origins.taken(), [(<Kind>k).taken() for k in self.kinds]

    cdef Text end_of_object(self, Text start, Text last) except? NULL:
        """Where a line ends that is one JSON object and no more; `values` has its fields then."""
        cdef bint is_ascii = True
        cdef Text at = after_spaces(start)
        if at[0] != c"{":
            return NULL
        at = self.after_fields(at, last, self.fields, self.values, &is_ascii)
        if at is NULL:
            return NULL
        at = after_spaces(at)
        if at[0] != c"\n" and at != last:
            return NULL
        return at if is_ascii or is_utf8(start, at) else NULL

    cdef Text after_fields(
        self, Text at, Text end, Names names, Value* values, bint* is_ascii
    ) noexcept:
        """Behind an object, of whose fields `values` are those with `names`."""
        cdef Value key, passed
        cdef Value* value
        cdef int number
        at = after_spaces(at + 1)
        if at[0] == c"}":
            return at + 1
        while True:
            at = after_key(at, end, &key, is_ascii)
            if at is NULL or key.is_escaped:
                return NULL
            number = names.number(&key)
            value = &values[number] if number >= 0 else &passed
            if value is self.metadata and at[0] == c"{":
                value.tag = OBJECT
                self.model.line = NO_LINE
                at = self.after_fields(at, end, self.of_metadata, &self.model, is_ascii)
            else:
                at = after_value(at, end, value, is_ascii, 1)
            if at is NULL:
                return NULL
            value.line = self.line
            at = after_spaces(at)
            if at[0] != c",":
                return at + 1 if at[0] == c"}" else NULL
            at = after_spaces(at + 1)

    cdef bint is_ordinary(self) noexcept:
        """Whether the line tells of no metric, in no format."""
        if self.message.line != self.line or self.message.tag != TEXT or self.has_any(&self.marks):
            return False
        return self.messages.number(self.message) < 0 and tells_no_metric(self.message)

    cdef inline bint has_any(self, Fields* fields) noexcept:
        cdef int at
        for at in range(fields.count):
            if self.values[fields.numbers[at]].line == self.line:
                return True
        return False

    cdef inline bint has_all(self, Fields* fields) noexcept:
        cdef int at
        for at in range(fields.count):
            if self.values[fields.numbers[at]].line != self.line:
                return False
        return True

    cdef bint take(self, uint32_t number) except -1:
        """Whether the line has a metric that is as it should be; then it is among its kind's."""
        cdef double[MOST_COLUMNS] numbers
        cdef int8_t[MOST_COLUMNS] truths
        cdef double time
        cdef Value* model
        cdef Kind kind = self.kind()
        if kind is None or self.has_any(&kind.never) or not self.has_all(&kind.essential):
            return False
        model = self.name_of_model(kind)
        if model is NULL or not self.is_text(model) or (self.has(model) and is_empty(model)):
            return False  # an empty name is not the same as none
        if not (self.is_text(self.speech) and self.is_text(self.request)):
            return False
        if not (
            self.read_time(kind, &time)
            and self.read_numbers(kind, numbers)
            and self.read_truths(kind, truths)
            and self.read_origin()
        ):
            return False
        self.put(kind, number, time, numbers, truths, model)
        return True

    cdef Kind kind(self):
        """What the line says it is; null where it says nothing that is looked for."""
        cdef int number
        if self.type.line == self.line:
            number = self.types.number(self.type) if self.type.tag == TEXT else -1
            return None if number < 0 else self.kinds_of_types[number]
        if self.message.line != self.line or self.message.tag != TEXT:
            return None
        number = self.messages.number(self.message)
        return None if number < 0 else self.kinds_of_messages[number]

    cdef Value* name_of_model(self, Kind kind) noexcept:
        """The field that names the model; null where it is not where it should be."""
        if kind.is_plain or self.metadata.line != self.line or self.metadata.tag == NULL_VALUE:
            return self.model_name
        return &self.model if self.metadata.tag == OBJECT else NULL

    cdef inline bint has(self, Value* value) noexcept:
        return value.line == self.line and value.tag != NULL_VALUE

    cdef inline bint is_text(self, Value* value) noexcept:
        """Whether a field is missing, null, or a text whose bytes are what it says."""
        return not self.has(value) or (value.tag == TEXT and not value.is_escaped)

    cdef inline bint read_numbers(self, Kind kind, double* numbers) except -1:
        cdef Value* value
        cdef int at
        for at in range(kind.numbers.count):
            value = &self.values[kind.numbers.numbers[at]]
            numbers[at] = NAN
            if self.has(value):
                if value.tag != NUMBER:
                    return False
                numbers[at] = double_of(value)
        return True

    cdef inline bint read_truths(self, Kind kind, int8_t* truths) noexcept:
        cdef Value* value
        cdef int at
        for at in range(kind.truths.count):
            value = &self.values[kind.truths.numbers[at]]
            truths[at] = NO_TRUTH
            if self.has(value):
                if value.tag != TRUE_VALUE and value.tag != FALSE_VALUE:
                    return False
                truths[at] = value.tag == TRUE_VALUE
        return True

    cdef inline bint read_time(self, Kind kind, double* time) except -1:
        if self.timestamp.line != self.line:
            return False
        if self.timestamp.tag == NUMBER:
            time[0] = double_of(self.timestamp)
            return 0 <= time[0] <= self.latest
        if not kind.is_plain or self.timestamp.tag != TEXT or self.timestamp.is_escaped:
            return False
        time[0] = seconds_of(self.timestamp.start, self.timestamp.end)
        return self.earliest < time[0] <= self.latest

    cdef inline bint read_origin(self) except -1:
        """Whether all fields that tell the session are ids, which are in `told` then."""
        cdef Value* value
        cdef int at
        self.told.size = 0
        for at in range(self.origin.count):
            value = &self.values[self.origin.numbers[at]]
            if value is self.pid and value.line != self.line:
                value = self.tid
            if self.has(value):
                if not is_id(value):
                    return False
                self.told.put(value.start, value.end - value.start)
            self.told.put(b"\n", 1)
        return True

    cdef int put(
        self, Kind kind, uint32_t line, double time, double* numbers, int8_t* truths, Value* model
    ) except -1:
        cdef int at
        for at in range(kind.numbers.count):
            (<Bytes>kind.number_columns[at]).put(&numbers[at], sizeof(double))
        for at in range(kind.truths.count):
            (<Bytes>kind.truth_columns[at]).put(&truths[at], sizeof(int8_t))
        kind.times.put(&time, sizeof(double))
        kind.lines.put(&line, sizeof(uint32_t))
        self.put_number(kind.speeches, self.speeches, self.speech)
        self.put_number(kind.models, kind.names_of_models, model)
        line = self.origins.number(<Text>self.told.start, self.told.size)
        kind.origins.put(&line, sizeof(uint32_t))
        if self.has(self.request) and not is_empty(self.request):
            kind.requests.put(self.request.start, self.request.end - self.request.start)
            kind.has_requests = True
        kind.requests.put(b"\n", 1)
        return 0

    cdef inline int put_number(self, Bytes column, Places places, Value* text) except -1:
        """Put the number of a text into a column; what is missing or null is as one without any."""
        cdef Text start = <Text>b"", end = start
        cdef uint32_t number
        if self.has(text):
            start, end = text.start, text.end
        number = places.number(start, end - start)
        return column.put(&number, sizeof(uint32_t))


cdef inline Text end_of_line(Text start, Text last) noexcept:
    cdef Text end = <Text>memchr(start, c"\n", last - start)
    return last if end is NULL else end


cdef inline bint is_empty(Value* text) noexcept:
    return text.start == text.end


cdef inline bint is_id(Value* value) noexcept:
    """Whether a value is a text, or a number as Python writes it."""
    if value.tag == NUMBER:
        return value.is_whole and not value.is_negative and value.digits <= 15
    return value.tag == TEXT and not value.is_escaped


cdef bint tells_no_metric(Value* message) noexcept:
    """Whether a message has nothing by which that of a metric is known, however it is escaped."""
    cdef Text at = message.start
    return not (
        at[0] == c"{"
        or (message.end - at >= 6 and memcmp(at, b"type='", 6) == 0)
        or holds(message, b"etrics", 6, 4)
        or holds(message, b"UsageSummary(", 13, 12)
        or (message.is_escaped and holds(message, b"\\u00", 4, 0))
    )


cdef inline bint holds(Value* text, const char* word, int size, int rarest) noexcept:
    """Whether a text has a word in it, of which one byte is the rarest."""
    cdef Text at = text.start + rarest
    while text.end - at >= size - rarest:
        at = <Text>memchr(at, word[rarest], text.end - at)
        if at is NULL or text.end - at < size - rarest:
            return False
        if memcmp(at - rarest, word, size) == 0:
            return True
        at += 1
    return False


# -- Times

cdef double seconds_of(Text at, Text end) noexcept:
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


cdef int64_t days_before(int year, int month) noexcept:
    """From 1970 to the first of a month."""
    cdef int each
    cdef int64_t before = year - 1
    cdef int64_t days = 365 * before + before // 4 - before // 100 + before // 400 - 719_162
    for each in range(1, month):
        days += days_of(year, each)
    return days


# -- Packing

def planes(bytes numbers, Py_ssize_t size):
    """The steps between numbers of `size` bytes: first the low byte of each, then all next ones.

    Those of numbers that are near their neighbours compress well so.
    """
    cdef Py_ssize_t count = len(numbers) // size, at
    cdef int byte
    cdef bytes found = PyBytes_FromStringAndSize(NULL, count * size)
    cdef char* plane = PyBytes_AS_STRING(found)
    cdef char* start = PyBytes_AS_STRING(numbers)
    cdef uint64_t number, before = 0, step
    for at in range(count):
        number = 0
        memcpy(&number, start + at * size, size)
        step = number - before
        before = number
        for byte in range(size):
            plane[byte * count + at] = <char>(step >> 8 * byte)
    return found
