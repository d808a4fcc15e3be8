/*
 * Text that somebody else chose (file names, values of a torrc, what tor answers), made fit for a
 * terminal: control characters, those that turn the direction of writing or cannot be seen, and
 * what is no UTF-8 become `\xNN`, byte by byte.
 */
#ifndef SHOWN_H
#define SHOWN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The character that begins here and how many bytes it has; 0 bytes where there is none. */
static size_t shown_decode(const unsigned char *text, uint32_t *letter)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = *text < 0x80 ? 1 : *text < 0xc0 ? 0 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3
        : *text < 0xf8 ? 4 : 0;

    *letter = length < 2 ? *text : *text & (uint32_t)(0x7f >> length);
    /* The end of the text is no byte that continues a character. */
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        *letter = *letter << 6 | (text[i] & 0x3f);
    }
    bool surrogate = *letter >= 0xd800 && *letter <= 0xdfff;
    return length == 0 || *letter < least[length] || *letter > 0x10ffff || surrogate ? 0 : length;
}

/* Whether a terminal shows it as one character in its place. */
static bool shown_plain(uint32_t letter)
{
    /* Controls, blanks that are none of ASCII's, joiners, marks of direction, fillers, variation
       selectors, tags, and what is for private use. */
    static const uint32_t hidden[][2] = {
        {0x0, 0x1f}, {0x7f, 0xa0}, {0xad, 0xad}, {0x300, 0x36f}, {0x600, 0x605}, {0x61c, 0x61c},
        {0x6dd, 0x6dd}, {0x70f, 0x70f}, {0x115f, 0x1160}, {0x1680, 0x1680}, {0x17b4, 0x17b5},
        {0x180b, 0x180f}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x2000, 0x200f}, {0x2028, 0x202f},
        {0x205f, 0x206f}, {0x20d0, 0x20ff}, {0x2800, 0x2800}, {0x3000, 0x3000}, {0x3164, 0x3164},
        {0xe000, 0xf8ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0},
        {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
        {0xe0000, 0x10ffff},
    };

    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (letter >= hidden[i][0] && letter <= hidden[i][1])
            return false;
    return true;
}

/* Writes `text` to `to`, which has room for `size` bytes, or as much of it as fits. */
static void shown(const char *text, char *to, size_t size)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t used = 0;

    while (*at != '\0') {
        uint32_t letter;
        char piece[8];
        size_t length = shown_decode(at, &letter), width;
        if (length > 0 && shown_plain(letter)) {
            memcpy(piece, at, length);
            width = length;
        } else {
            /* The bytes after it are judged by themselves. */
            length = 1;
            width = (size_t)snprintf(piece, sizeof piece, "\\x%02x", (unsigned)*at);
        }
        if (used + width >= size)
            break;
        memcpy(to + used, piece, width);
        used += width;
        at += length;
    }
    to[used] = '\0';
}

#endif
