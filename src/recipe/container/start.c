/*
 * `tor`, as the image's entry: looks at what tor is about to use, and where tor could only say
 * tersely that it cannot start, says whose it is, where, and what mends it. Otherwise tor takes
 * this process over, with the same arguments, so signals and the exit code are tor's.
 *
 * What tor will use is asked of tor itself: `--dump-config` reads the torrc with all it
 * includes and touches nothing. Anything that this program is not sure of is left to tor.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
/* No path that is looked at is as long. */
#define PATH 4096
/* No torrc that is looked at has as many ports. */
#define PORTS 16

static bool faulty;
/* Whether the torrc lets a group read the data directory. */
static bool group_reads;

/* One thing that keeps tor from starting, and what mends it. */
static void problem(const char *hint, const char *format, ...)
{
    va_list arguments;

    faulty = true;
    va_start(arguments, format);
    fputs("error: ", stderr);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nhint: %s\n", hint);
    va_end(arguments);
}

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

/* The path, on its own file system, of what is mounted here and holds `path`. */
static bool mounted(const char *path, char *origin)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char *text = NULL, root[PATH], at[PATH];
    size_t size = 0, best = 0;

    while (file != NULL && getline(&text, &size, file) >= 0) {
        if (sscanf(text, "%*s %*s %*s %4095s %4095s", root, at) != 2)
            continue;
        size_t length = strlen(at);
        bool holds = strncmp(path, at, length) == 0
            && (path[length] == '\0' || path[length] == '/' || length == 1);
        if (holds && length >= best) {
            best = length;
            strcpy(origin, root);
        }
    }
    if (file != NULL)
        fclose(file);
    free(text);
    return best > 1 && strcmp(origin, "/") != 0;
}

/* What gives `path` to the user that tor runs as. */
static const char *give(const char *path)
{
    static char hint[3 * PATH];
    char origin[PATH];
    uintmax_t uid = outside("/proc/self/uid_map", geteuid());
    uintmax_t gid = outside("/proc/self/gid_map", getegid());

    if (mounted(path, origin))
        snprintf(hint, sizeof hint, "on the host: `sudo chown -R %ju:%ju %s`; if that lies on a "
                 "file system of its own there, with its mount point before the path", uid, gid,
                 origin);
    else
        snprintf(hint, sizeof hint, "on the host: `sudo chown -R %ju:%ju DIR`, where DIR is what "
                 "is mounted at %s", uid, gid, path);
    return hint;
}

/* A directory that tor must own and write to, or be able to make. */
static void check_directory(const char *path)
{
    struct stat found;
    char above[PATH];

    if (stat(path, &found) == 0) {
        if (!S_ISDIR(found.st_mode))
            problem("name another DataDirectory, or move it away", "%s is no directory", path);
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
            problem(errno == EACCES ? give(above) : "mount a volume there that can be written to",
                    "user %ju cannot make %s: %s", (uintmax_t)geteuid(), path, strerror(errno));
    } else {
        problem(give(path), "user %ju cannot look into %s: %s", (uintmax_t)geteuid(), path,
                strerror(errno));
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
    check_file(data, "lock", R_OK | W_OK);
    check_file(data, "state", R_OK | W_OK);
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets && !faulty; i++)
        check_file(keys, secrets[i], R_OK);
}

/* The port that an option of tor names, if somebody else listens on it or nobody may. */
static void check_port(const char *option, const char *value)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    char host[64] = "", hint[256];
    size_t length = strcspn(value, " ");
    const char *flags = value + length, *port = value;

    for (const char *c = value; c < value + length; c++)
        if (*c == ':')
            port = c + 1;
    if (port > value && (size_t)(port - value) <= sizeof host)
        snprintf(host, (size_t)(port - value), "%s", value);
    unsigned long number = strtoul(port, NULL, 10);
    if (number == 0 || number > UINT16_MAX || strcasestr(flags, "NoListen") != NULL)
        return; /* `auto`, `0`, a socket's path, or only told to others */

    struct sockaddr *address = (struct sockaddr *)&v4;
    socklen_t size = sizeof v4;
    v4.sin_port = v6.sin6_port = htons((uint16_t)number);
    if (host[0] == '[') {
        host[strlen(host) - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &v6.sin6_addr) != 1)
            return;
        address = (struct sockaddr *)&v6;
        size = sizeof v6;
    } else if (host[0] != '\0') {
        if (inet_pton(AF_INET, host, &v4.sin_addr) != 1)
            return; /* a name, which tor looks up */
    } else if (strcasestr(flags, "IPv6Only") != NULL) {
        v6.sin6_addr = in6addr_any;
        address = (struct sockaddr *)&v6;
        size = sizeof v6;
    } else {
        /* Only the ORPort is for everybody unless told otherwise. */
        v4.sin_addr.s_addr = htonl(strcmp(option, "ORPort") == 0 ? INADDR_ANY : INADDR_LOOPBACK);
    }

    /* As tor binds. The port is free again when the socket is closed: nothing was listening. */
    int on = 1, listener = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0)
        return;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->sa_family == AF_INET6)
        setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(listener, address, size) != 0 || listen(listener, 1) != 0) {
        if (errno == EADDRINUSE) {
            snprintf(hint, sizeof hint, "`ss -ltnp 'sport = :%lu'` shows by what; end it, or take "
                     "another port and publish that", number);
            problem(hint, "port %lu, which `%s %s` wants, is taken", number, option, value);
        } else if (errno == EACCES) {
            snprintf(hint, sizeof hint, "give the container `--sysctl "
                     "net.ipv4.ip_unprivileged_port_start=0`, or take a port from 1024 on");
            problem(hint, "user %ju may not listen on port %lu, which `%s %s` wants",
                    (uintmax_t)geteuid(), number, option, value);
        } else if (errno == EADDRNOTAVAIL) {
            snprintf(hint, sizeof hint, "a container has addresses of its own: listen on the port "
                     "alone, `%s %lu`, and name the public address with `Address`", option, number);
            problem(hint, "the address in `%s %s` is not one of this container", option, value);
        }
    }
    close(listener);
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

/* A torrc that is not there, unless the command line says all that a relay needs. */
static void check_torrc(const char *torrc, bool relay)
{
    if (access(torrc, R_OK) == 0)
        return;
    if (errno == EACCES)
        problem("on the host, for the file and the directory it lies in: chmod a+rX", "user %ju "
                "cannot read the torrc, %s", (uintmax_t)geteuid(), torrc);
    else if (errno == ENOENT && (strcmp(torrc, TORRC) != 0 || !relay))
        problem("write one with `cargo xtask torrc middle --out config/torrc`, and mount its "
                "directory: --mount type=bind,source=\"$PWD/config\",target=/usr/local/etc/tor"
                ",readonly", "there is no torrc: %s does not exist", torrc);
}

/* What of tor's configuration is looked at. */
struct settings {
    char data[PATH], keys[PATH];
    char option[PORTS][32], port[PORTS][128];
    size_t ports;
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

/* Looks at all that tor would use. */
static void check(char **words, size_t count)
{
    static struct settings settings;
    const char *torrc = torrc_of(words);
    bool relay = false;

    if (strcmp(torrc, "-") == 0)
        return; /* standard input can be read only once */
    /* It refuses to, too, where it may not enter the data directory. */
    if (!ask(words, count, &settings))
        settings = (struct settings){.data = DATA};
    if (settings.keys[0] == '\0')
        snprintf(settings.keys, sizeof settings.keys, "%.4000s/keys", settings.data);
    check_data(settings.data, settings.keys);
    for (size_t i = 0; i < settings.ports; i++) {
        check_port(settings.option[i], settings.port[i]);
        relay = relay || strcmp(settings.option[i], "ORPort") == 0;
    }
    for (char **word = words; *word != NULL; word++)
        if (strcmp(*word, "--ignore-missing-torrc") == 0
            || strcmp(*word, "--allow-missing-torrc") == 0)
            return;
    check_torrc(torrc, relay);
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
    if (!command)
        check(words, length);
    if (faulty)
        return 1;
    words[length] = NULL;
    execv(TOR, words);
    fprintf(stderr, "error: cannot run %s: %s\n", TOR, strerror(errno));
    return 127;
}
