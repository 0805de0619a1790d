"""Columns: values one behind another, and numbers for texts; a part of `scan.pyx`."""

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

    cdef bint are_all(self, int64_t number) noexcept:
        """Whether all numbers of 32 bits are the same one."""
        if self.size and (<uint32_t*>self.start)[0] != number:
            return False
        return self.are_alike(sizeof(uint32_t))

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
    cdef uint32_t latest  # the number that was told last; many texts come in a row

    def __cinit__(self):
        self.texts, self.ends = Bytes(), Bytes()
        self.resize(1023)

    def __dealloc__(self):
        free(self.table)

    cdef int resize(self, uint32_t mask) except -1:
        """Have a table of `mask` + 1 places for the texts that there are."""
        cdef uint32_t number
        cdef Text start
        cdef Py_ssize_t size
        cdef void* table = realloc(self.table, (mask + 1) * sizeof(uint32_t))
        if table is NULL:
            raise MemoryError
        self.table, self.mask = <uint32_t*>table, mask
        memset(self.table, 0, (mask + 1) * sizeof(uint32_t))
        for number in range(self.count):
            self.find(number, &start, &size)
            self.table[self.place(start, size)] = number + 1
        return 0

    cdef inline void find(self, uint32_t number, Text* start, Py_ssize_t* size) noexcept:
        """Where the text with a number is."""
        cdef Py_ssize_t* ends = <Py_ssize_t*>self.ends.start
        cdef Py_ssize_t first = ends[number - 1] if number else 0
        start[0] = <Text>self.texts.start + first
        size[0] = ends[number] - first

    cdef inline int64_t number(self, Text start, Py_ssize_t size) except -1:
        """The number of a text."""
        cdef uint32_t place
        if self.count and self.is_text(self.latest, start, size):
            return self.latest
        place = self.place(start, size)
        if not self.table[place]:
            self.texts.put(start, size)
            self.ends.put(&self.texts.size, sizeof(Py_ssize_t))
            self.count += 1
            self.table[place] = self.count
        self.latest = self.table[place] - 1
        if self.count > self.mask // 2:
            self.resize(4 * self.mask + 3)
        return self.latest

    cdef inline int64_t known(self, Text start, Py_ssize_t size) noexcept:
        """The number of a text; below 0 where it has none."""
        return <int64_t>self.table[self.place(start, size)] - 1

    cdef inline uint32_t place(self, Text start, Py_ssize_t size) noexcept:
        """Where a text is in the table, or would be."""
        cdef uint32_t at = hash_of(start, size) & self.mask
        while self.table[at] and not self.is_text(self.table[at] - 1, start, size):
            at = (at + 1) & self.mask
        return at

    cdef inline bint is_text(self, uint32_t number, Text start, Py_ssize_t size) noexcept:
        """Whether a text is the one with a number."""
        cdef Text known
        cdef Py_ssize_t known_size
        self.find(number, &known, &known_size)
        return known_size == size and are_same(known, start, size)

    cdef list taken(self):
        """All texts; the next one has the number 0 again."""
        cdef Text start
        cdef Py_ssize_t size
        cdef uint32_t number
        found = []
        for number in range(self.count):
            self.find(number, &start, &size)
            found.append(PyUnicode_DecodeUTF8(<const char*>start, size, NULL))
        self.forget()
        return found

    cdef bytes taken_lines(self):
        """All texts, each in a line, the last one without its end; then as after `taken`."""
        cdef Text start
        cdef Py_ssize_t size
        cdef uint32_t number
        cdef Bytes lines = Bytes()
        for number in range(self.count):
            self.find(number, &start, &size)
            lines.put(start, size)
            lines.put(b"\n", 1)
        lines.size -= self.count > 0
        self.forget()
        return lines.taken()

    cdef void forget(self) noexcept:
        self.texts.size = self.ends.size = self.count = 0
        memset(self.table, 0, (self.mask + 1) * sizeof(uint32_t))


cdef Places numbered(names):
    """The numbers of some names, from 0."""
    cdef Places numbers = Places()
    for name in names:
        text = name.encode()
        numbers.number(<Text>PyBytes_AS_STRING(text), len(text))
    return numbers


cdef uint64_t SEED = hash("turnlat") & 0xFFFFFFFFFFFFFFFF  # of its own in each process,
# so that nobody can write a log whose texts all collide.


cdef inline uint32_t hash_of(Text start, Py_ssize_t size) noexcept:
    cdef uint64_t hashed = SEED ^ <uint64_t>size
    cdef uint64_t word = 0
    cdef Text last = start + size - 8
    if size < 8:
        memcpy(&word, start, size)
        return <uint32_t>mixed(hashed, word)
    while start < last:
        memcpy(&word, start, 8)
        hashed = mixed(hashed, word)
        start += 8
    # The last eight bytes may be some of those before them once more.
    memcpy(&word, last, 8)
    return <uint32_t>mixed(hashed, word)


cdef inline uint64_t mixed(uint64_t hashed, uint64_t word) noexcept:
    hashed = (hashed ^ word) * 0xFF51AFD7ED558CCDu
    return hashed ^ hashed >> 32


def lines_at(data, places):
    """Some of the lines that `data` holds, by their numbers from 0 in their order: 64 bits each."""
    cdef Py_buffer held, chosen
    PyObject_GetBuffer(data, &held, PyBUF_SIMPLE)
    try:
        PyObject_GetBuffer(places, &chosen, PyBUF_SIMPLE)
        try:
            return found_lines(
                <Text>held.buf,
                <Text>held.buf + held.len,
                <int64_t*>chosen.buf,
                chosen.len // sizeof(int64_t),
            )
        finally:
            PyBuffer_Release(&chosen)
    finally:
        PyBuffer_Release(&held)


cdef bytes found_lines(Text start, Text last, int64_t* places, Py_ssize_t count):
    cdef Bytes found = Bytes()
    cdef Text end
    cdef Py_ssize_t at
    cdef int64_t number = 0
    for at in range(count):
        while number < places[at]:
            start = end_of_line(start, last) + 1
            number += 1
            if start > last:
                raise IndexError(number)
        end = end_of_line(start, last)
        found.put(start, end - start)
        found.put(b"\n", 1)
    found.size -= count > 0
    return found.taken()


cdef enum:
    STEPS_BEGIN = 17  # what comes before them: their width, how many numbers there are, the first


def steps(data, Py_ssize_t size):
    """Numbers of `size` bytes as the steps between them, each in as few bytes as the largest."""
    cdef Py_buffer held
    PyObject_GetBuffer(data, &held, PyBUF_SIMPLE)
    try:
        return steps_between(<const char*>held.buf, held.len // size, size)
    finally:
        PyBuffer_Release(&held)


cdef bytes steps_between(const char* numbers, int64_t count, Py_ssize_t size):
    cdef int64_t at
    cdef uint64_t first = 0, before, step, all_bits = 0
    cdef uint8_t width = 0
    cdef int byte
    if count:
        memcpy(&first, numbers, size)
    before = first
    for at in range(count):
        all_bits |= step_to(numbers + at * size, size, &before)
    while width < 8 and all_bits >> 8 * width:
        width += 1
    cdef bytes found = PyBytes_FromStringAndSize(NULL, STEPS_BEGIN + count * width)
    cdef char* start = PyBytes_AS_STRING(found)
    memcpy(start, &width, 1)
    memcpy(start + 1, &count, 8)
    memcpy(start + 9, &first, 8)
    start += STEPS_BEGIN
    before = first
    for at in range(count):
        step = step_to(numbers + at * size, size, &before)
        for byte in range(width):
            start[byte] = <char>(step >> 8 * byte)
        start += width
    return found


cdef inline uint64_t step_to(const char* start, Py_ssize_t size, uint64_t* before) noexcept:
    """The step to a number from the one before; its last bit tells whether it goes down."""
    cdef uint64_t number = 0
    cdef int64_t step
    memcpy(&number, start, size)
    step = <int64_t>(number - before[0])
    before[0] = number
    return <uint64_t>step << 1 ^ <uint64_t>(step >> 63)


def whole(data, Py_ssize_t size):
    """The numbers of `size` bytes between which there are such steps."""
    cdef Py_buffer held
    PyObject_GetBuffer(data, &held, PyBUF_SIMPLE)
    try:
        return added_up(<Text>held.buf, size)
    finally:
        PyBuffer_Release(&held)


cdef bytes added_up(Text start, Py_ssize_t size):
    cdef int64_t count, at
    cdef uint64_t number, step
    cdef uint8_t width = start[0]
    cdef int byte
    memcpy(&count, start + 1, 8)
    memcpy(&number, start + 9, 8)
    start += STEPS_BEGIN
    cdef bytes found = PyBytes_FromStringAndSize(NULL, count * size)
    cdef char* place = PyBytes_AS_STRING(found)
    for at in range(count):
        step = 0
        for byte in range(width):
            step |= <uint64_t>start[byte] << 8 * byte
        start += width
        number += step >> 1 ^ (0 - (step & 1))
        memcpy(place + at * size, &number, size)
    return found
