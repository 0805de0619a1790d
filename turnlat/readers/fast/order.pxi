"""Order: places of texts among all, by numbers that lie as they do; a part of `scan.pyx`."""

cdef enum:
    MOST_BITS = 63
    DIGITS = 256


def places(list parts):
    """The place of each line of `parts` among the different ones, and a line that has each place.

    Places are in the order of the lines, from 1 on; an empty line has 0. Null where lines differ in
    more than numbers of 64 bits can tell.
    """
    cdef Order order = Order()
    cdef Py_buffer held
    for put in (False, True):
        if put and not order.fits():
            return None
        for part in parts:
            PyObject_GetBuffer(part, &held, PyBUF_SIMPLE)
            try:
                order.go_through(<Text>held.buf, <Text>held.buf + held.len, put)
            finally:
                PyBuffer_Release(&held)
    return order.places()


cdef struct Line:
    uint64_t number  # which lies among those of other lines as its text does
    uint32_t row


cdef class Order:
    """What lines are made of: each byte behind those that all begin with is a digit."""

    cdef Bytes first  # of the lines that are not empty
    cdef Py_ssize_t common  # how many bytes all of them begin with
    cdef Py_ssize_t longest
    cdef bint[DIGITS] occurs
    cdef uint64_t[DIGITS] digits
    cdef uint64_t base
    cdef Bytes lines  # each a `Line`

    def __cinit__(self):
        self.first, self.lines = Bytes(), Bytes()

    cdef int go_through(self, Text start, Text last, bint put) except -1:
        """Learn what lines are made of, or put their numbers."""
        cdef Text end
        while True:
            end = end_of_line(start, last)
            if put:
                self.put(start, end - start)
            elif end > start:
                self.learn(start, end - start)
            if end == last:
                return 0
            start = end + 1

    cdef int learn(self, Text line, Py_ssize_t size) except -1:
        cdef Py_ssize_t at
        if not self.longest:
            self.first.put(line, size)
            self.common = size
        self.common = min(self.common, size)
        for at in range(self.common):
            if line[at] != <uint8_t>self.first.start[at]:
                self.common = at
                break
        for at in range(size):
            self.occurs[line[at]] = True
        self.longest = max(self.longest, size)
        return 0

    cdef bint fits(self) noexcept:
        """Whether a number has room for every line; the end of a line is the digit 0."""
        cdef int byte
        self.base = 1
        for byte in range(DIGITS):
            if self.occurs[byte]:
                self.digits[byte] = self.base
                self.base += 1
        return (self.longest - self.common) * log2(<double>self.base) < MOST_BITS

    cdef int put(self, Text text, Py_ssize_t size) except -1:
        cdef Line line
        cdef Py_ssize_t at
        line.number, line.row = 0, self.lines.size // sizeof(Line)
        if size:
            for at in range(self.common, size):
                line.number = line.number * self.base + self.digits[text[at]]
            for at in range(size, self.longest):
                line.number *= self.base
            line.number += 1
        return self.lines.put(&line, sizeof(Line))

    cdef tuple places(self):
        """The place of each line, and the first line of each place."""
        cdef Py_ssize_t count = self.lines.size // sizeof(Line), at
        cdef Bytes held = Bytes(), first = Bytes()
        cdef uint32_t* places
        cdef uint32_t place = 0
        cdef uint64_t last = 0
        cdef Line* lines
        self.sort(count)
        lines = <Line*>self.lines.start
        held.make_room(count * sizeof(uint32_t))
        held.size = count * sizeof(uint32_t)
        places = <uint32_t*>held.start
        for at in range(count):
            if lines[at].number != last:
                last = lines[at].number
                place += 1
                first.put(&lines[at].row, sizeof(uint32_t))
            places[lines[at].row] = place
        return held.taken(), first.taken()

    cdef int sort(self, Py_ssize_t count) except -1:
        """Put the lines in the order of their numbers: by one byte of these after another."""
        cdef Bytes other = Bytes()
        cdef Py_ssize_t[DIGITS + 1] starts
        cdef Py_ssize_t at
        cdef uint64_t bits = 0
        cdef int shift, digit
        cdef Line* lines
        cdef Line* ordered
        for at in range(count):
            bits |= (<Line*>self.lines.start)[at].number
        other.make_room(count * sizeof(Line))
        for shift in range(0, 64, 8):
            if bits >> shift == 0:
                break
            lines, ordered = <Line*>self.lines.start, <Line*>other.start
            memset(starts, 0, sizeof(starts))
            for at in range(count):
                starts[1 + ((lines[at].number >> shift) & (DIGITS - 1))] += 1
            for digit in range(DIGITS):
                starts[digit + 1] += starts[digit]
            for at in range(count):
                digit = (lines[at].number >> shift) & (DIGITS - 1)
                ordered[starts[digit]] = lines[at]
                starts[digit] += 1
            self.lines, other = other, self.lines
        return 0
