/*
 * `tor`, as the image's entry: looks at what tor is about to use, and where tor could only say
 * tersely that it cannot start, says whose it is, where, and what fixes it. Otherwise tor takes
 * this process over, with the same arguments, so signals and the exit code are tor's.
 *
 * What tor will use is asked of tor itself: `--dump-config` reads the torrc with all it
 * includes and touches nothing. Anything that this program is not sure of is left to tor.
 */
#define _GNU_SOURCE
#include "owner.h"
#include "log.h"
#include "memory.h"
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef TOR
#define TOR "/usr/local/bin/tor"
#endif
/* Where the image's defaults lie: outside of what is mounted. */
#ifndef DEFAULTS
#define DEFAULTS "/usr/local/share/tor/torrc-defaults"
#endif
#ifndef DATA
#define DATA "/tordata"
#endif
#ifndef TORRC
#define TORRC "/usr/local/etc/tor/torrc"
#endif
/* No torrc that is looked at has as many ports. */
#define PORTS 16
/* What tor writes at its first start before it reaches anybody, and what it needs in the end. */
#define WRITTEN 65536
#define SCARCE (64ULL << 20)
/* The least that tor takes as MaxMemInQueues of a relay. */
#define LEAST (64ULL << 20)

/* Whether the torrc lets a group read the data directory. */
static bool group_reads;

/* A directory that tor must own and write to, or be able to make. */
static void check_directory(const char *path)
{
    struct stat found;
    char above[PATH];

    if (stat(path, &found) == 0) {
        if (!S_ISDIR(found.st_mode))
            problem("name another DataDirectory, or move it away", "%s is not a directory", path);
        else if (found.st_uid != geteuid())
            problem(give(path), "%s belongs to user %ju, but tor runs as user %ju", path,
                    (uintmax_t)found.st_uid, (uintmax_t)geteuid());
        else if (access(path, W_OK) != 0 && errno == EROFS)
            problem("mount it without `:ro` or `readonly`",
                    "%s is mounted read-only; tor keeps its keys and state there", path);
        else if ((found.st_mode & 077) != 0 && !group_reads)
            /* Tor does it itself, but only after it has refused to make a control socket there. */
            (void)!chmod(path, 0700);
    } else if (errno == ENOENT) {
        /* Tor makes it, but nothing above it. */
        snprintf(above, sizeof above, "%s", path);
        char *slash = strrchr(above, '/');
        if (slash == NULL || slash == above)
            return;
        *slash = '\0';
        if (access(above, W_OK | X_OK) != 0)
            problem(errno == EACCES ? give(above) : "mount a writable volume there",
                    "user %ju cannot create %s: %s", (uintmax_t)geteuid(), path, strerror(errno));
    } else {
        problem(give(path), "user %ju cannot access %s: %s", (uintmax_t)geteuid(), path,
                strerror(errno));
    }
}

/* A volume on which tor could not write its keys: it would end in a bug of its own. */
static void check_space(const char *path, const char *keys)
{
    static char bytes[WRITTEN];
    struct statvfs space;
    char text[3 * PATH];
    bool full = false;

    memset(bytes, 0xa5, sizeof bytes);
    int file = open(path, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0)
        full = errno == ENOSPC || errno == EDQUOT;
    for (ssize_t count = 0; file >= 0 && !full && count < WRITTEN;) {
        ssize_t written = write(file, bytes, sizeof bytes - (size_t)count);
        if (written < 0 && errno == EINTR)
            continue;
        full = written == 0 || (written < 0 && (errno == ENOSPC || errno == EDQUOT));
        if (written <= 0)
            break;
        count += written;
    }
    if (file >= 0)
        close(file);
    if (statvfs(path, &space) != 0)
        return;
    unsigned long long available = (unsigned long long)space.f_bavail * space.f_frsize;
    if (full && access(keys, F_OK) != 0) {
        problem("free some space on what is mounted there, or mount another volume; on the "
                "host, `df -h` and `df -i` show what is full", "%s has no space left (%llu MB, %llu files "
                "free): tor cannot create its keys there", path, available / 1000000,
                (unsigned long long)space.f_favail);
    } else if (full || available < SCARCE) {
        snprintf(text, sizeof text, "%s has only %llu MB left: tor keeps its keys, its state and the "
                 "network's directory there", path, available / 1000000);
        say("warning", text);
    }
}

/* A file of tor's that another user brought here, from a backup or another host. */
static void check_file(const char *folder, const char *name, int wanted)
{
    struct stat found;
    char path[PATH];

    snprintf(path, sizeof path, "%.4000s/%s", folder, name);
    if (access(path, wanted) != 0 && errno == EACCES && stat(path, &found) == 0)
        problem(give(folder), "%s belongs to user %ju, and user %ju cannot %s it", path,
                (uintmax_t)found.st_uid, (uintmax_t)geteuid(), wanted & W_OK ? "write" : "read");
}

/* Tor's keys and state. */
static void check_data(const char *data, const char *keys)
{
    static const char *const secrets[] = {
        "secret_id_key", "ed25519_master_id_secret_key", "ed25519_master_id_public_key",
        "ed25519_signing_secret_key", "ed25519_signing_cert",
    };

    check_directory(data);
    if (!faulty && access(keys, F_OK) == 0)
        check_directory(keys);
    if (faulty)
        return; /* the same command gives tor the files */
    check_space(access(data, F_OK) == 0 ? data : DATA, keys);
    check_file(data, "lock", R_OK | W_OK);
    check_file(data, "state", R_OK | W_OK);
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets && !faulty; i++)
        check_file(keys, secrets[i], R_OK);
}

/* The torrc that the command line names. */
static const char *torrc_of(char **words)
{
    const char *torrc = TORRC;

    for (; *words != NULL; words++)
        if ((strcmp(*words, "-f") == 0 || strcmp(*words, "--torrc-file") == 0) && words[1] != NULL)
            torrc = *++words;
    return torrc;
}

/* What makes a torrc, for a host that has no more than the image. */
#define MAKE_ONE "on the host: `mkdir -p config && printf '%s\\n' 'Nickname myrelay' " \
    "'ContactInfo tor@example.org' 'ORPort 9001' 'ExitRelay 0' 'SocksPort 0' >config/torrc`; then " \
    "mount the directory: `--mount type=bind,source=\"$PWD/config\",target=/usr/local/etc/tor," \
    "readonly`"

/* A torrc that is not there, unless the command line says all that a relay needs. */
static void check_torrc(const char *torrc, bool relay)
{
    char hint[10 * PATH], origin[PATH];
    struct stat found;
    bool known = mounted(torrc, origin);

    if (stat(torrc, &found) == 0 && S_ISDIR(found.st_mode)) {
        /* Tor takes it for a torrc that is not there, and starts as a client. */
        snprintf(hint, sizeof hint, "a container engine creates a directory if a file that it should "
                 "mount does not exist. On the host: `sudo rmdir %s`; then write the torrc, and "
                 "mount the directory that contains it", known ? word(origin) : "PATH");
        problem(hint, "the torrc, %s, is a directory", torrc);
    } else if (access(torrc, R_OK) == 0) {
        return;
    } else if (errno == EACCES) {
        if (known)
            snprintf(hint, sizeof hint, "on the host: `sudo chmod a+rX \"$(dirname %s)\" %s`; if "
                     "that is on a separate file system there, put its mount point before the "
                     "paths", word(origin), word(origin));
        else
            snprintf(hint, sizeof hint, "on the host, for the file and its directory: "
                     "`sudo chmod a+rX DIR FILE`");
        problem(hint, "user %ju cannot read the torrc, %s", (uintmax_t)geteuid(), torrc);
    } else if (errno == ENOENT && (strcmp(torrc, TORRC) != 0 || !relay)) {
        problem(MAKE_ONE, "there is no torrc: %s does not exist", torrc);
    }
}

/* What of tor's configuration is looked at. */
struct settings {
    char data[PATH], keys[PATH];
    char option[PORTS][32], port[PORTS][128];
    size_t ports;
    /* Whether tor said so, and whether the torrc limits its memory. */
    bool known, limited;
};

static void set(struct settings *settings, char *text)
{
    static const char *const options[] = {"ORPort", "ControlPort", "MetricsPort", "SocksPort"};

    text[strcspn(text, "\n")] = '\0';
    char *value = strchr(text, ' ');
    if (value == NULL)
        return;
    *value++ = '\0';
    if (strcmp(text, "DataDirectoryGroupReadable") == 0)
        group_reads = strcmp(value, "1") == 0;
    else if (strcmp(text, "MaxMemInQueues") == 0)
        settings->limited = strcmp(value, "0") != 0;
    else if (strcmp(text, "DataDirectory") == 0)
        snprintf(settings->data, sizeof settings->data, "%s", value);
    else if (strcmp(text, "KeyDirectory") == 0)
        snprintf(settings->keys, sizeof settings->keys, "%s", value);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(text, options[i]) == 0 && settings->ports < PORTS
            && strlen(value) < sizeof settings->port[0]) {
            strcpy(settings->option[settings->ports], text);
            strcpy(settings->port[settings->ports++], value);
        }
}

/* Asks tor which configuration it would run with; false if it does not say. */
static bool ask(char **words, size_t count, struct settings *settings)
{
    char *text = NULL;
    size_t size = 0;
    int pipes[2], status;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        words[count] = "--dump-config";
        words[count + 1] = "full";
        words[count + 2] = NULL;
        dup2(pipes[1], STDOUT_FILENO);
        execv(TOR, words);
        _exit(127);
    }
    close(pipes[1]);
    FILE *answer = fdopen(pipes[0], "r");
    while (answer != NULL && getline(&text, &size, answer) >= 0)
        set(settings, text);
    free(text);
    if (answer != NULL)
        fclose(answer);
    while (child > 0 && waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/*
 * The image's defaults, and with them a limit for tor's queues where the container may use less
 * memory than the machine has: tor looks at the machine's alone. A torrc that names one is left
 * as it is, also one that is read again later.
 */
static const char *defaults_for(const struct settings *settings)
{
    static char path[64];
    char text[256], copied[PATH];
    struct sysinfo machine;
    unsigned long long limit = memory_limit();

    if (settings->limited || !settings->known || sysinfo(&machine) != 0
        || limit >= (unsigned long long)machine.totalram * machine.mem_unit)
        return DEFAULTS;
    /* The directory of the network, the circuits and the buffers of connections are the rest. */
    unsigned long long queues = limit / 2 < LEAST ? LEAST : limit / 2;
    int from = open(DEFAULTS, O_RDONLY | O_CLOEXEC), to = memfd_create("torrc-defaults", 0);
    bool whole = from >= 0 && to >= 0;
    for (ssize_t count = 1; whole && count > 0;) {
        count = read(from, copied, sizeof copied);
        whole = count >= 0 && write(to, copied, (size_t)count) == count;
    }
    if (from >= 0)
        close(from);
    int length = snprintf(text, sizeof text, "MaxMemInQueues %llu MB\n", queues >> 20);
    if (!whole || write(to, text, (size_t)length) != length)
        return DEFAULTS;
    snprintf(text, sizeof text, "MaxMemInQueues is %llu MB, half of the %llu MB of memory that this "
             "container may use; the torrc can set another value", queues >> 20, limit >> 20);
    say("note", text);
    /* Tor has it open, so it can read it again at each reload. */
    snprintf(path, sizeof path, "/proc/self/fd/%d", to);
    return path;
}

/* Looks at all that tor would use; with which defaults it is to run, if they are the image's. */
static const char *check(char **words, size_t count, bool own)
{
    static struct settings settings;
    const char *torrc = torrc_of(words);
    bool relay = false;

    if (strcmp(torrc, "-") == 0)
        return DEFAULTS; /* standard input can be read only once */
    /* It refuses to, too, where it may not enter the data directory. */
    settings.known = ask(words, count, &settings);
    if (!settings.known)
        settings = (struct settings){.data = DATA};
    if (settings.keys[0] == '\0')
        snprintf(settings.keys, sizeof settings.keys, "%.4000s/keys", settings.data);
    check_data(settings.data, settings.keys);
    for (size_t i = 0; i < settings.ports; i++) {
        check_port(settings.option[i], settings.port[i]);
        relay = relay
            || (strcmp(settings.option[i], "ORPort") == 0 && strcmp(settings.port[i], "0") != 0);
    }
    for (char **word = words; *word != NULL; word++)
        if (strcmp(*word, "--ignore-missing-torrc") == 0
            || strcmp(*word, "--allow-missing-torrc") == 0)
            return own ? DEFAULTS : defaults_for(&settings);
    check_torrc(torrc, relay);
    if (settings.known && !relay && !faulty)
        say("warning", "the torrc has no ORPort, so this tor is a client, not a relay");
    return faulty || own ? DEFAULTS : defaults_for(&settings);
}

/* Whether tor is to do something and end, instead of running. */
static bool is_command(const char *word)
{
    static const char *const commands[] = {
        "--hash-password", "--dump-config", "--list-fingerprint", "--keygen", "--keygen-family",
        "--key-expiration", "--verify-config", "--version", "--list-modules",
        "--library-versions", "--help", "-h", "--list-torrc-options",
        "--list-deprecated-options", "--dbg-dump-subsystem-list",
    };

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(word, commands[i]) == 0)
            return true;
    return false;
}

static void end(int signal)
{
    _exit(128 + signal);
}

int main(int count, char **arguments)
{
    bool command = false, defaults = false;
    char **words = calloc((size_t)count + 6, sizeof *words);
    size_t length = 0;

    /* The first process of a container has no default of its own for these. */
    signal(SIGTERM, end);
    signal(SIGINT, end);
    if (words == NULL)
        return 1;
    for (int i = 1; i < count; i++) {
        command = command || is_command(arguments[i]);
        defaults = defaults || strcmp(arguments[i], "--defaults-torrc") == 0;
    }
    words[length++] = "tor";
    if (!defaults) {
        words[length++] = "--defaults-torrc";
        words[length++] = DEFAULTS;
    }
    for (int i = 1; i < count; i++)
        words[length++] = arguments[i];
    if (!command) {
        const char *file = check(words, length, defaults);
        if (!defaults)
            words[2] = (char *)file;
    }
    if (faulty)
        return 1;
    words[length] = NULL;
    execv(TOR, words);
    fprintf(stderr, "error: cannot run %s: %s\n", TOR, strerror(errno));
    return 127;
}
