/* Words: many bytes at once, and numbers of 128 bits; what Cython has no words for. */

#ifndef TURNLAT_WORDS_H
#define TURNLAT_WORDS_H

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
        odd = (odd | word) & HIGH_BITS;
        if (odd) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            at += __builtin_ctzll(odd) >> 3;
#endif
            break;
        }
    }
    return at - start;
}

/* Whether some bytes are the same, most of which are as few as a field's name has. */
static inline int are_same(const unsigned char *one, const unsigned char *other, size_t size) {
    uint64_t left, right;
    size_t at;
    if (size < 8) {
        for (at = 0; at < size; at++)
            if (one[at] != other[at]) return 0;
        return 1;
    }
    for (at = 0; at < size; at += 8) {
        /* The last eight bytes may be some of those before them once more. */
        size_t from = at + 8 <= size ? at : size - 8;
        memcpy(&left, one + from, 8);
        memcpy(&right, other + from, 8);
        if (left != right) return 0;
    }
    return 1;
}

/* The number that up to eight digits tell, and how many they are. */
static inline int number_of(const unsigned char *at, const unsigned char *end, uint64_t *number) {
    int count = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (end - at >= 8) {
        uint64_t word, odd;
        memcpy(&word, at, 8);
        /* Adding 6 takes whatever is above 9 out of the 16 characters that begin with 0. */
        odd = ((word & (word + EACH_BYTE * 6)) & (EACH_BYTE * 0xF0)) ^ (EACH_BYTE * 0x30);
        count = odd ? __builtin_ctzll(odd) >> 3 : 8;
        if (count == 0) {
            *number = 0;
            return 0;
        }
        word = (word - EACH_BYTE * '0') << 8 * (8 - count);  /* zeros before the digits */
        word = 10 * word + (word >> 8);  /* every second byte: two digits */
        word = (word & 0x000000FF000000FF) * (1000000 * 0x100000000 + 100)
            + ((word >> 16) & 0x000000FF000000FF) * (10000 * 0x100000000 + 1);
        *number = word >> 32;
        return count;
    }
#endif
    *number = 0;
    while (count < 8 && end - at > count && at[count] >= '0' && at[count] <= '9')
        *number = 10 * *number + at[count++] - '0';
    return count;
}

/* The double nearest to `mantissa` / `power`, both above 0; of two as near, the even one. */
static inline double nearest_quotient(uint64_t mantissa, uint64_t power) {
    int shift = 63 + __builtin_clzll(mantissa) - __builtin_clzll(power);
    unsigned __int128 scaled = (unsigned __int128)mantissa << shift;
    uint64_t quotient = (uint64_t)(scaled / power);
    quotient |= (uint64_t)scaled != quotient * power;  /* what is left over decides a tie */
    return ldexp((double)quotient, -shift);
}

static const uint64_t POWERS[20] = {
    1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u,
    10000000000u, 100000000000u, 1000000000000u, 10000000000000u, 100000000000000u,
    1000000000000000u, 10000000000000000u, 100000000000000000u, 1000000000000000000u,
    10000000000000000000u,
};

/* Doubles hold these powers of ten as they are, and no larger one. */
static const double EXACT_POWERS[23] = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

#endif
