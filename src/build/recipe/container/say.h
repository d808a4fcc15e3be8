/*
 * What the health check says, and how it ends: one line for people, or one object for programs.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shown.h"

/* No line or file that is read here is as long. */
#define LINE 4096
/* No relay has as many warnings, or as much to tell in `--json`. */
#define WARNINGS 8
#define FACTS 65536

/* Whether a program reads what is said. */
static bool json;
static char warnings[WARNINGS][LINE];
static size_t warned;
/* What `--json` tells besides: members of an object, each with a comma after it. */
static char facts[FACTS] = "";
static size_t told;

/* Text of somebody else's as it may stand in a JSON string: whatever is not printable ASCII is
   written as `\u00NN`, byte by byte. */
static void quote(const char *text, char *to, size_t size)
{
    size_t length = 0;

    for (; *text != '\0' && length + 7 < size; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            to[length++] = '\\';
        if (byte >= ' ' && byte < 0x7f)
            to[length++] = *text;
        else
            length += (size_t)snprintf(to + length, size - length, "\\u00%02x", (unsigned)byte);
    }
    to[length] = '\0';
}

/* Text of somebody else's as it may reach whoever reads what is said. */
static void escape(const char *text, char *to, size_t size)
{
    if (json)
        quote(text, to, size);
    else
        shown(text, to, size);
}

/* Adds a member to what `--json` tells; `text` is a number or `true` if it is not `quoted`. */
static void tell(const char *name, const char *text, bool quoted)
{
    static char fit[7 * LINE];

    if (!json)
        return;
    escape(text, fit, sizeof fit);
    int length = snprintf(facts + told, sizeof facts - told, quoted ? "\"%s\":\"%s\"," : "\"%s\":%s,",
                          name, fit);
    if (length > 0 && (size_t)length < sizeof facts - told)
        told += (size_t)length;
    facts[told] = '\0'; /* what has no room is left out whole */
}

/* Notes what its operator should know and what does not stop the relay. */
static void warn(const char *format, ...)
{
    va_list arguments;

    if (warned == WARNINGS)
        return;
    va_start(arguments, format);
    vsnprintf(warnings[warned++], sizeof warnings[0], format, arguments);
    va_end(arguments);
}

/* Says how the relay is, and ends. */
static _Noreturn void say(const char *state, const char *format, ...)
{
    char text[LINE];
    static char fit[7 * LINE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    escape(text, fit, sizeof fit);
    printf(json ? "{\"format\":1,\"state\":\"%s\",\"text\":\"%s\",\"warnings\":[" : "%s: %s", state,
           fit);
    for (size_t i = 0; i < warned; i++) {
        escape(warnings[i], fit, sizeof fit);
        if (json)
            printf("%s\"%s\"", i > 0 ? "," : "", fit);
        else
            printf("; warning: %s", fit);
    }
    if (told > 0)
        facts[told - 1] = '\0'; /* the last comma */
    if (json)
        printf("],\"facts\":{%s}}", facts);
    putchar('\n');
    fflush(stdout);
    _exit(strcmp(state, "healthy") == 0 ? 0 : 1);
}
