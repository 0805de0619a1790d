"""Order: numbers that lie as texts do, and are sorted sooner; a part of `scan.pyx`."""

cdef enum:
    MOST_BITS = 63


def ordinals(list parts):
    """Numbers of 64 bits in the order of the lines of all `parts`, the same for the same lines.

    An empty line has 0. Null where lines differ in more than such numbers can tell.
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
    return order.numbers.taken()


cdef class Order:
    """What lines are made of: each byte behind those that all begin with is a digit."""

    cdef Bytes first  # of the lines that are not empty
    cdef Py_ssize_t common  # how many bytes all of them begin with
    cdef Py_ssize_t longest
    cdef bint[256] occurs
    cdef uint64_t[256] digits
    cdef uint64_t base
    cdef Bytes numbers

    def __cinit__(self):
        self.first, self.numbers = Bytes(), Bytes()

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
        for byte in range(256):
            if self.occurs[byte]:
                self.digits[byte] = self.base
                self.base += 1
        return (self.longest - self.common) * log2(<double>self.base) < MOST_BITS

    cdef int put(self, Text line, Py_ssize_t size) except -1:
        cdef uint64_t number = 0
        cdef Py_ssize_t at
        if size:
            for at in range(self.common, size):
                number = number * self.base + self.digits[line[at]]
            for at in range(size, self.longest):
                number *= self.base
            number += 1
        return self.numbers.put(&number, sizeof(uint64_t))
