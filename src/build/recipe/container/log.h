/*
 * What the entry writes to the container's log before tor does.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "shown.h"

static bool faulty;

/* Writes a line to the log; a path or an option of somebody else's may be in it. */
static void say(const char *label, const char *text)
{
    char fit[4 * PATH];

    shown(text, fit, sizeof fit);
    fprintf(stderr, "%s: %s\n", label, fit);
}

/* One thing that keeps tor from starting, and what fixes it. */
static void problem(const char *hint, const char *format, ...)
{
    char text[3 * PATH];
    va_list arguments;

    faulty = true;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    say("error", text);
    say("hint", hint);
}
