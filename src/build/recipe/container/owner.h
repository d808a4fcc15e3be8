/*
 * What a path in the container is outside of it, and the command there that lets tor use it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No path that is looked at is as long. */
#define PATH 4096

/* The number that user or group `id` has outside of this user namespace. */
static uintmax_t outside(const char *map, uintmax_t id)
{
    FILE *file = fopen(map, "re");
    uintmax_t inner, outer, count;

    while (file != NULL && fscanf(file, "%ju %ju %ju", &inner, &outer, &count) == 3)
        if (id >= inner && id - inner < count) {
            id = outer + (id - inner);
            break;
        }
    if (file != NULL)
        fclose(file);
    return id;
}

/* Undoes what the kernel does to spaces and the like in its tables: \ and three octal digits. */
static void unescape(char *text)
{
    char *to = text;

    for (; *text != '\0'; to++) {
        if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' && text[2] <= '7'
            && text[3] >= '0' && text[3] <= '7') {
            *to = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
            text += 4;
        } else {
            *to = *text++;
        }
    }
    *to = '\0';
}

/* `path` as a shell takes it for one word. */
static const char *word(const char *path)
{
    static char quoted[4 * PATH + 3];
    char *to = quoted;

    if (path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")]
        == '\0')
        return path;
    *to++ = '\'';
    for (; *path != '\0'; path++) {
        if (*path == '\'')
            to = stpcpy(to, "'\\'");
        *to++ = *path;
    }
    strcpy(to, "'");
    return quoted;
}

/* The path that `path` has on its own file system, if something is mounted here that holds it. */
static bool mounted(const char *path, char *origin)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char *text = NULL, root[PATH], at[PATH];
    size_t size = 0, best = 0;
    bool whole = true;

    while (file != NULL && getline(&text, &size, file) >= 0) {
        if (sscanf(text, "%*s %*s %*s %4095s %4095s", root, at) != 2)
            continue;
        unescape(root);
        unescape(at);
        size_t length = strlen(at);
        bool holds = strncmp(path, at, length) == 0
            && (path[length] == '\0' || path[length] == '/' || length == 1);
        if (holds && length >= best) {
            best = length;
            whole = strcmp(root, "/") == 0;
            snprintf(origin, PATH, "%s%s", root, path + length);
        }
    }
    if (file != NULL)
        fclose(file);
    free(text);
    return best > 1 && !whole;
}

/* `command`, for what `path` is outside. */
static const char *on_host(const char *command, const char *path)
{
    static char hint[5 * PATH];
    char origin[PATH];

    if (mounted(path, origin))
        snprintf(hint, sizeof hint, "on the host: `sudo %s %s`; if that is on a separate file "
                 "system there, put its mount point before the path", command, word(origin));
    else
        snprintf(hint, sizeof hint, "on the host: `sudo %s DIR`, where DIR is what is mounted at "
                 "%s", command, path);
    return hint;
}

/* What gives `path` to the user that tor runs as. */
static const char *give(const char *path)
{
    char command[96];

    snprintf(command, sizeof command, "chown -R %ju:%ju", outside("/proc/self/uid_map", geteuid()),
             outside("/proc/self/gid_map", getegid()));
    return on_host(command, path);
}
