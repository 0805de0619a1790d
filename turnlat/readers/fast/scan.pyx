# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The scanner: metrics from lines of JSON straight into columns, without an object for any of them.

It takes a line only where it is sure of it: one object that JSON allows, with all fields of its
kind as they should be. It skips no value unread, so that what it takes the plain path would have
taken, to the same columns; all else it leaves to that path. What to look for, a `Layout` tells.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.math cimport NAN, log2
from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp, memcpy, memset

from turnlat.readers.fast.json cimport (
    FALSE_VALUE,
    NULL_VALUE,
    NUMBER,
    OBJECT,
    TEXT,
    TRUE_VALUE,
    Text,
    Value,
    after_key,
    after_spaces,
    after_value,
    are_same,
    double_of,
    is_utf8,
)
from turnlat.readers.fast.times cimport seconds_of

include "arrow.pxi"
include "columns.pxi"
include "keys.pxi"
include "order.pxi"


cdef enum:
    MOST_FIELDS = 128
    MOST_COLUMNS = 24
    NO_LINE = -1


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

    cdef tuple taken(self, int64_t nobody):
        """The layout, how many records there are, and what a `_Taken` tells of them.

        The speech of records that are of none has the number of `nobody`.
        """
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
        speeches = None if self.speeches.are_all(nobody) else self.speeches.narrow()
        self.speeches.size = 0
        return (
            self.layout,
            height,
            columns,
            requests,
            speeches,
            self.origins.narrow(),
            self.models.narrow(),
            self.names_of_models.taken(),
        )


cdef class Scanner:
    """Takes in the records of lines that it is sure of."""

    cdef Keys fields, of_metadata
    cdef Places types, messages
    cdef list kinds_of_types, kinds_of_messages, kinds
    cdef Value[MOST_FIELDS] values  # of each field
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
        if len(layout.fields) > MOST_FIELDS:
            raise ValueError(f"more than {MOST_FIELDS} fields")
        numbers = {name: number for number, name in enumerate(layout.fields)}
        kinds = {kind: Kind(kind, numbers) for kind in layout.kinds}
        self.kinds = list(kinds.values())
        self.fields, self.of_metadata = Keys(layout.fields), Keys(["model_name"])
        self.types, self.messages = numbered(layout.types), numbered(layout.messages)
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

    def scan(self, data, uint32_t before):
        """Take in lines: how many there are, and how many have no metric; those that are left.

        Of these the number, the first one's being 0, and where in `data` it begins and ends.
        So many lines lie `before` them, after the first that was taken in since `taken`.
        """
        cdef Py_buffer held
        if not isinstance(data, (bytes, bytearray)):
            raise TypeError("there has to be a NUL behind the lines")
        PyObject_GetBuffer(data, &held, PyBUF_SIMPLE)
        try:
            return self.scan_all(<Text>held.buf, <Text>held.buf + held.len, before)
        finally:
            PyBuffer_Release(&held)

    cdef tuple scan_all(self, Text first, Text last, uint32_t before):
        cdef Text start = first, end
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
        self.fields.forget()
        self.of_metadata.forget()
        cdef int64_t nobody = self.speeches.known(b"", 0)
        kinds = [(<Kind>kind).taken(nobody) for kind in self.kinds]
        return self.speeches.taken_lines(), self.origins.taken(), kinds

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
        self, Text at, Text end, Keys keys, Value* values, bint* is_ascii
    ) noexcept:
        """Behind an object, of whose fields `values` are those that `keys` look for."""
        cdef Value passed
        cdef Value* value
        cdef Key* key = keys.start
        at = after_spaces(at + 1)
        if at[0] == c"}":
            return at + 1
        while True:
            key = keys.after(key, &at, end, is_ascii)
            if key is NULL:
                return NULL
            value = &values[key.field] if key.field >= 0 else &passed
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
        return number_in(self.messages, self.message) < 0 and tells_no_metric(self.message)

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
            number = number_in(self.types, self.type) if self.type.tag == TEXT else -1
            return None if number < 0 else self.kinds_of_types[number]
        if self.message.line != self.line or self.message.tag != TEXT:
            return None
        number = number_in(self.messages, self.message)
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


cdef inline int64_t number_in(Places texts, Value* text) noexcept:
    """The number of a text; below 0 where it has none."""
    return texts.known(text.start, text.end - text.start)


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
