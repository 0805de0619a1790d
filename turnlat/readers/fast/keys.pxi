"""Keys: the names of fields, and which of them comes after which; a part of `scan.pyx`."""

cdef enum:
    MOST_KEYS = 128
    KEY_WORDS = 5
    KEY_BYTES = 40
    FOLLOWERS = 4


cdef struct Key:
    uint64_t[KEY_WORDS] words  # the key as lines write it, from its quote to where its value begins
    uint64_t mask  # of the last word: which of its bytes are the key's
    int last  # the place of its last word
    int size  # in bytes
    int64_t field  # below 0 where it is not looked for
    Key* followers[FOLLOWERS]  # what came next, the latest first


cdef class Keys:
    """The keys of objects, learned from the first ones that have them.

    Objects of one kind have the same keys in the same order: of nearly all keys one look at a few
    words tells which they are.
    """

    cdef Places fields  # those that are looked for
    cdef Key[MOST_KEYS] known
    cdef int count
    cdef Key* start  # of an object: what its first key follows
    cdef Key* other  # any key that is not among those that are known

    def __cinit__(self, fields):
        self.fields = numbered(fields)
        self.forget()

    cdef void forget(self) noexcept:
        """Learn anew: other lines may have other keys."""
        self.count = 0
        self.start, self.other = self.added(), self.added()

    cdef Key* added(self) noexcept:
        """One more key; it is none of a line until somebody tells which."""
        cdef Key* key = &self.known[self.count]
        cdef int place
        self.count += 1
        # No text has such bytes; and where other bytes have, no value comes next.
        key.words[0] = key.mask = ~<uint64_t>0
        key.last = key.size = 0
        key.field = -1
        for place in range(FOLLOWERS):
            key.followers[place] = &self.known[0]
        return key

    cdef inline Key* after(self, Key* before, Text* at, Text end, bint* is_ascii) noexcept:
        """The key that begins `at` a place, which is where its value begins then; or null."""
        cdef int place
        cdef Key* key
        for place in range(FOLLOWERS):
            key = before.followers[place]
            if is_key(key, at[0], end):
                before.followers[place], before.followers[0] = before.followers[0], key
                at[0] = after_spaces(at[0] + key.size)
                return key
        return self.read(before, at, end, is_ascii)

    cdef Key* read(self, Key* before, Text* at, Text end, bint* is_ascii) noexcept:
        """As `after`, of a key that has not come there before."""
        cdef Value name
        cdef int place
        cdef Key* key
        cdef bint is_plain = True
        cdef Text start = at[0]
        at[0] = after_key(start, end, &name, &is_plain)
        if at[0] is NULL or name.is_escaped:
            return NULL
        is_ascii[0] = is_ascii[0] and is_plain
        key = self.learned(start, at[0], end) if is_plain else self.other
        key.field = self.fields.known(name.start, name.end - name.start)
        if key is self.other:
            return key
        for place in range(FOLLOWERS - 1, 0, -1):
            before.followers[place] = before.followers[place - 1]
        before.followers[0] = key
        return key

    cdef Key* learned(self, Text start, Text value, Text end) noexcept:
        """The key of these bytes; `other` where it is too long, or one too many."""
        cdef int size, place
        cdef Key* key
        if value - start > KEY_BYTES or end - start < KEY_BYTES:
            return self.other
        for place in range(self.count):
            key = &self.known[place]
            if is_key(key, start, end) and key.size == value - start:
                return key
        if self.count == MOST_KEYS:
            return self.other
        key = self.added()
        key.size = value - start
        key.last = (key.size - 1) // 8
        memset(key.words, 0, KEY_BYTES)
        memcpy(key.words, start, key.size)
        memset(&key.mask, 0, 8)
        memset(&key.mask, 0xFF, key.size - 8 * key.last)
        return key


cdef inline bint is_key(Key* key, Text at, Text end) noexcept:
    cdef uint64_t word
    cdef int number
    if end - at < KEY_BYTES:
        return False
    for number in range(key.last):
        memcpy(&word, at + 8 * number, 8)
        if word != key.words[number]:
            return False
    memcpy(&word, at + 8 * key.last, 8)
    return word & key.mask == key.words[key.last]
