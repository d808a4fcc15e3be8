/*
 * How much memory the container may use, of which tor looks at the machine's alone.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Where the kernel shows control groups. */
#ifndef CGROUPS
#define CGROUPS "/sys/fs/cgroup"
#endif

/* The number in a file of the kernel's; the greatest there is for `max` or no file. */
static unsigned long long limit_in(const char *path)
{
    unsigned long long limit;
    FILE *file = fopen(path, "re");

    if (file == NULL || fscanf(file, "%llu", &limit) != 1)
        limit = UINT64_MAX;
    if (file != NULL)
        fclose(file);
    return limit;
}

/* How much memory the container may use, in bytes: the least limit of its control group and of
   those above it, in version 1 or 2. */
static unsigned long long memory_limit(void)
{
    static const char *const files[] = {CGROUPS "%.4000s/memory.max",
                                        CGROUPS "/memory%.4000s/memory.limit_in_bytes"};
    char *text = NULL, path[2 * PATH], group[PATH] = "";
    size_t size = 0;
    unsigned long long limit = UINT64_MAX;
    FILE *file = fopen("/proc/self/cgroup", "re");

    for (size_t version = 0; version < 2; version++) {
        if (file != NULL)
            rewind(file);
        group[0] = '\0';
        while (file != NULL && getline(&text, &size, file) >= 0) {
            text[strcspn(text, "\n")] = '\0';
            const char *from = strstr(text, version == 0 ? "::/" : ":memory:/");
            if (from != NULL)
                snprintf(group, sizeof group, "%.4000s", strchr(from, '/'));
        }
        for (;;) {
            snprintf(path, sizeof path, files[version], group);
            unsigned long long found = limit_in(path);
            limit = found < limit ? found : limit;
            char *slash = strrchr(group, '/');
            if (slash == NULL)
                break;
            *slash = '\0';
        }
    }
    if (file != NULL)
        fclose(file);
    free(text);
    return limit;
}
