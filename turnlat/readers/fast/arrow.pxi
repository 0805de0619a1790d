"""Arrow: bytes as arrays of numbers or texts, as Arrow's C data; a part of `scan.pyx`.

https://arrow.apache.org/docs/format/CDataInterface.html tells what each field means.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from cpython.pythread cimport (
    PyThread_acquire_lock,
    PyThread_allocate_lock,
    PyThread_release_lock,
    PyThread_type_lock,
)
from libc.stdlib cimport calloc

cdef extern from "Python.h":
    bint PyGILState_Check() nogil

cdef enum:
    ARROW_FLAG_NULLABLE = 2

cdef struct ArrowSchema:
    const char* format
    const char* name
    const char* metadata
    int64_t flags
    int64_t n_children
    ArrowSchema** children
    ArrowSchema* dictionary
    void (*release)(ArrowSchema*) noexcept nogil
    void* private_data

cdef struct ArrowArray:
    int64_t length
    int64_t null_count
    int64_t offset
    int64_t n_buffers
    int64_t n_children
    const void** buffers
    ArrowArray** children
    ArrowArray* dictionary
    void (*release)(ArrowArray*) noexcept nogil
    void* private_data

cdef struct Held:  # what an array keeps until it is released
    Py_buffer bytes
    void* made  # in memory of its own
    const void* buffers[4]
    int64_t size  # of the bytes
    Held* next  # of those that wait

cdef struct View:  # of a text; a short one lies in it
    uint32_t size
    char start[4]
    uint32_t buffer
    uint32_t place

cdef enum:
    SHORT = 12
    MOST_BYTES = 0x7FFFFFFF  # in which a view can find its text

cdef Held* waiting = NULL  # released by threads of polars, which must not wait for Python's lock
cdef PyThread_type_lock waiting_lock = PyThread_allocate_lock()

FORMATS = {
    "f8": b"g", "f4": b"f", "i8": b"l", "i1": b"b", "u1": b"C", "u2": b"S", "u4": b"I", "u8": b"L",
}

ctypedef fused Float:
    float
    double


def exported(data, str type_):
    """The numbers or truth values that lie in `data`, as a schema and an array of Arrow's.

    A NaN is null, and so is a truth value of `NO_TRUTH`.
    """
    capsules = schema, array = new_schema(FORMATS[type_]), new_array(data)
    cdef ArrowArray* numbers = <ArrowArray*>PyCapsule_GetPointer(array, "arrow_array")
    cdef Held* held = <Held*>numbers.private_data
    held.buffers[1] = held.bytes.buf
    numbers.length, numbers.n_buffers = held.bytes.len // int(type_[1:]), 2
    if type_ == "f8":
        leave_out_nan(numbers, held, <double*>held.bytes.buf)
    elif type_ == "f4":
        leave_out_nan(numbers, held, <float*>held.bytes.buf)
    elif type_ == "i1":
        put_truths(numbers, held)
    return capsules


cdef int leave_out_nan(ArrowArray* array, Held* held, Float* numbers) except -1:
    cdef Py_ssize_t at
    for at in range(array.length):
        array.null_count += numbers[at] != numbers[at]
    if not array.null_count:
        return 0
    cdef uint8_t* are_there = room_for(held, array.length // 8 + 1)
    for at in range(array.length):
        are_there[at // 8] |= (numbers[at] == numbers[at]) << at % 8
    held.buffers[0] = are_there
    return 0


cdef int put_truths(ArrowArray* array, Held* held) except -1:
    """Put one bit for each byte."""
    cdef int8_t* truths = <int8_t*>held.bytes.buf
    cdef Py_ssize_t at, size = array.length // 8 + 1
    cdef uint8_t* are_there = room_for(held, 2 * size)
    cdef uint8_t* are_true = are_there + size
    for at in range(array.length):
        are_there[at // 8] |= (truths[at] != NO_TRUTH) << at % 8
        are_true[at // 8] |= (truths[at] == 1) << at % 8
        array.null_count += truths[at] == NO_TRUTH
    held.buffers[0], held.buffers[1] = are_there, are_true
    return 0


def exported_texts(data):
    """The lines of `data` as texts of Arrow's, an empty one as null.

    Raises `OverflowError` for more than 2 GB; blocks and ranges are far smaller.
    """
    capsules = schema, array = new_schema(b"vu"), new_array(data)
    cdef ArrowArray* texts = <ArrowArray*>PyCapsule_GetPointer(array, "arrow_array")
    cdef Held* held = <Held*>texts.private_data
    cdef Text first = <Text>held.bytes.buf, start = first, last = first + held.bytes.len, end
    if held.bytes.len > MOST_BYTES:
        raise OverflowError
    cdef Py_ssize_t count = lines_of(first, last), number
    cdef View* views = <View*>room_for(held, count * sizeof(View) + count // 8 + 1)
    cdef uint8_t* are_there = <uint8_t*>(views + count)
    for number in range(count):
        end = <Text>memchr(start, c"\n", last - start) if number < count - 1 else last
        if end > start:
            put_view(&views[number], start, end - start, start - first)
            are_there[number // 8] |= 1 << number % 8
        else:
            texts.null_count += 1
        start = end + 1
    held.size = held.bytes.len
    held.buffers[0], held.buffers[1] = are_there, views
    held.buffers[2], held.buffers[3] = held.bytes.buf, &held.size
    texts.length, texts.n_buffers = count, 4
    return capsules


cdef inline void put_view(View* view, Text start, uint32_t size, uint32_t place) noexcept:
    view.size = size
    if size <= SHORT:
        memcpy(view.start, start, size)
        return
    memcpy(view.start, start, sizeof(view.start))
    view.place = place


cdef Py_ssize_t lines_of(Text start, Text last) noexcept:
    """How many lines there are; behind the last one there is no end of a line."""
    cdef Py_ssize_t count = 1
    while True:
        start = <Text>memchr(start, c"\n", last - start)
        if start is NULL:
            return count
        start += 1
        count += 1


cdef object new_schema(bytes format_):
    cdef ArrowSchema* schema = <ArrowSchema*>calloc(1, sizeof(ArrowSchema))
    if schema is NULL:
        raise MemoryError
    capsule = PyCapsule_New(schema, "arrow_schema", free_schema)
    schema.format = PyBytes_AS_STRING(format_)  # a constant of this module, which stays
    schema.name = b""
    schema.flags = ARROW_FLAG_NULLABLE
    schema.release = release_schema
    return capsule


cdef object new_array(data):
    """An array that keeps `data`; where its buffers are, remains to be told."""
    free_waiting()
    cdef ArrowArray* array = <ArrowArray*>calloc(1, sizeof(ArrowArray))
    if array is NULL:
        raise MemoryError
    capsule = PyCapsule_New(array, "arrow_array", free_array)
    cdef Held* held = <Held*>calloc(1, sizeof(Held))
    if held is NULL:
        raise MemoryError
    try:
        PyObject_GetBuffer(data, &held.bytes, PyBUF_SIMPLE)
    except:
        free(held)
        raise
    array.buffers, array.private_data = held.buffers, held
    array.release = release_array
    return capsule


cdef uint8_t* room_for(Held* held, Py_ssize_t size) except NULL:
    """Zeros that last as long as the array."""
    held.made = calloc(1, size)
    if held.made is NULL:
        raise MemoryError
    return <uint8_t*>held.made


cdef void release_schema(ArrowSchema* schema) noexcept nogil:
    schema.release = NULL


cdef void release_array(ArrowArray* array) noexcept nogil:
    global waiting
    cdef Held* held = <Held*>array.private_data
    array.release = NULL
    if PyGILState_Check():
        with gil:
            free_held(held)
        return
    PyThread_acquire_lock(waiting_lock, 1)
    held.next, waiting = waiting, held
    PyThread_release_lock(waiting_lock)


cdef void free_waiting() noexcept:
    global waiting
    cdef Held* held
    cdef Held* done
    PyThread_acquire_lock(waiting_lock, 1)
    held, waiting = waiting, NULL
    PyThread_release_lock(waiting_lock)
    while held is not NULL:
        done, held = held, held.next
        free_held(done)


cdef void free_held(Held* held) noexcept:
    PyBuffer_Release(&held.bytes)
    free(held.made)
    free(held)


cdef void free_schema(object capsule) noexcept:
    free(PyCapsule_GetPointer(capsule, "arrow_schema"))


cdef void free_array(object capsule) noexcept:
    cdef ArrowArray* array = <ArrowArray*>PyCapsule_GetPointer(capsule, "arrow_array")
    if array.release is not NULL:  # nobody took it over
        array.release(array)
    free(array)
