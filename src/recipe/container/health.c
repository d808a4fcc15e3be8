/*
 * Whether the relay is well, asked of tor itself through its control socket.
 *
 * Prints one line, `healthy: …`, `starting: …` or `unhealthy: …`, and ends with 0 for the
 * first and 1 for the others: an engine takes no other codes, and does not count a failure
 * during the start period. Reads and writes nothing but the socket, tor's cookie and the date
 * in the signing key's certificate.
 *
 * The protocol is that of tor's control-spec; what the answers mean was read in tor 0.4.9.11.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The relay's data. The image's defaults let tor open `control.sock` there, and write in
   `control-ports` which others it has opened, should the torrc name another. */
static const char *data = "/tordata";

/* How long tor may take for all answers together, in seconds. */
#ifndef PATIENCE
#define PATIENCE 8
#endif
/* How long a relay may take until it is bootstrapped, reachable and known to an authority:
   tor complains of an ORPort that was not found reachable after 20 minutes. In seconds. */
#define START (20 * 60)
/* Tor makes a new signing key a day before the old one lapses, where it has the master key. */
#define SOON (60 * 60)
/* Where it has not, its operator has to. In seconds. */
#define NOTICE (7 * 24 * 60 * 60)
/* No line or file that is read here is as long. */
#define LINE 4096
/* No answer has as many lines. */
#define LINES 64
#define COOKIE 32

static int tor = -1;
static struct timespec deadline;
/* How long tor has been running, in seconds. */
static long running = -1;

/* Says how the relay is, and ends. What tor said may be in it, so nothing that moves a cursor. */
static _Noreturn void say(const char *state, const char *format, ...)
{
    char text[LINE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    printf("%s: %s\n", state, text);
    fflush(stdout);
    _exit(strcmp(state, "healthy") == 0 ? 0 : 1);
}

/* What a relay is that lacks something it gets only after a while. */
static const char *not_yet(void)
{
    return running < START ? "starting" : "unhealthy";
}

/* What is left until the deadline, in milliseconds. */
static int left(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ms = (int64_t)(deadline.tv_sec - now.tv_sec) * 1000
        + (deadline.tv_nsec - now.tv_nsec) / 1000000;
    return ms > 0 ? (int)ms : 0;
}

static void await(short event)
{
    struct pollfd wait = {.fd = tor, .events = event};

    for (;;) {
        int ready = poll(&wait, 1, left());
        if (ready > 0)
            return;
        if (ready == 0)
            say("unhealthy", "tor has not answered within %d seconds", PATIENCE);
        if (errno != EINTR)
            say("unhealthy", "cannot wait for tor: %s", strerror(errno));
    }
}

static void put(const char *text)
{
    size_t length = strlen(text);

    while (length > 0) {
        await(POLLOUT);
        ssize_t sent = send(tor, text, length, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (sent < 0)
            say("unhealthy", "cannot ask tor: %s", strerror(errno));
        text += sent;
        length -= (size_t)sent;
    }
}

/* The next line from tor, without its end. */
static const char *line(void)
{
    static char buffer[LINE];
    static size_t filled, used;

    memmove(buffer, buffer + used, filled - used);
    filled -= used;
    used = 0;
    for (size_t seen = 0;;) {
        char *end = memchr(buffer + seen, '\n', filled - seen);
        if (end != NULL) {
            used = (size_t)(end - buffer) + 1;
            if (end > buffer && end[-1] == '\r')
                end--;
            *end = '\0';
            return buffer;
        }
        seen = filled;
        if (filled == sizeof buffer)
            say("unhealthy", "tor answers with more than %d bytes in a line", LINE);
        await(POLLIN);
        ssize_t got = recv(tor, buffer + filled, sizeof buffer - filled, 0);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            say("unhealthy", "cannot read what tor answers: %s", strerror(errno));
        if (got == 0)
            say("unhealthy", "tor hangs up without an answer");
        filled += (size_t)got;
    }
}

/*
 * Asks tor, and takes what follows `name` in the answer: `250-name…` or `250 name…`. Whether
 * there was such a line; an answer that is no success ends the check.
 */
static bool ask(const char *question, const char *name, char *value, size_t size)
{
    bool found = false;

    put(question);
    put("\r\n");
    for (int count = 0; count < LINES; count++) {
        const char *answer = line();
        if (strncmp(answer, "250", 3) != 0 || (answer[3] != '-' && answer[3] != ' '))
            say("unhealthy", "tor answers to `%.12s…`: %s", question, answer);
        if (!found && strncmp(answer + 4, name, strlen(name)) == 0) {
            found = true;
            snprintf(value, size, "%s", answer + 4 + strlen(name));
        }
        if (answer[3] == ' ')
            return found;
    }
    say("unhealthy", "tor answers to `%.12s…` with more than %d lines", question, LINES);
}

/* A fact that tor has. */
static void fact(const char *key, char *value, size_t size)
{
    char question[128], name[128];

    snprintf(question, sizeof question, "GETINFO %s", key);
    snprintf(name, sizeof name, "%s=", key);
    if (!ask(question, name, value, size))
        say("unhealthy", "tor does not answer what `%s` is", key);
}

/* An option as it is in force; empty where it is not set. */
static void option(const char *key, char *value, size_t size)
{
    char question[128], name[128];

    snprintf(question, sizeof question, "GETCONF %s", key);
    snprintf(name, sizeof name, "%s=", key);
    if (!ask(question, name, value, size))
        value[0] = '\0';
}

/* Reads at most `size` bytes of a file; how many, or -1. */
static ssize_t contents(const char *path, void *bytes, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return -1;
    size_t filled = 0;
    while (filled < size) {
        ssize_t got = read(file, (char *)bytes + filled, size - filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            int why = errno;
            close(file);
            errno = why;
            return got < 0 ? -1 : (ssize_t)filled;
        }
        filled += (size_t)got;
    }
    close(file);
    return (ssize_t)filled;
}

/* Finds tor's control socket, and connects. */
static void reach(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char text[LINE], ports[LINE];

    snprintf(ports, sizeof ports, "%s/control-ports", data);
    ssize_t length = contents(ports, text, sizeof text - 1);
    if (length < 0 && errno == ENOENT)
        length = snprintf(text, sizeof text, "UNIX_PORT=%s/control.sock", data);
    else if (length < 0)
        say("unhealthy", "cannot read %s as user %ju: %s", ports, (uintmax_t)geteuid(),
            strerror(errno));
    text[(size_t)length < sizeof text ? (size_t)length : sizeof text - 1] = '\0';
    const char *path = strstr(text, "UNIX_PORT=");
    if (path == NULL)
        say("unhealthy", "tor has no control socket: let the torrc say "
            "`ControlSocket /tordata/control.sock`");
    path += strlen("UNIX_PORT=");
    size_t size = strcspn(path, "\n");
    if (size >= sizeof address.sun_path)
        say("unhealthy", "the path of tor's control socket is longer than a socket's can be");
    memcpy(address.sun_path, path, size);

    tor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (tor >= 0 && connect(tor, (struct sockaddr *)&address, sizeof address) == 0)
        return;
    if (errno == ENOENT)
        say("starting", "tor has not opened its control socket yet, %s", address.sun_path);
    say("unhealthy", "tor's control socket %s cannot be reached: %s", address.sun_path,
        strerror(errno));
}

/* Shows tor the cookie that only its own user can read. */
static void authenticate(void)
{
    static const char name[] = "COOKIEFILE=\"";
    char methods[LINE], command[32 + 2 * COOKIE] = "AUTHENTICATE", nothing[1];
    unsigned char cookie[COOKIE + 1];

    if (!ask("PROTOCOLINFO 1", "AUTH METHODS=", methods, sizeof methods))
        say("unhealthy", "tor does not say how it can be asked");
    char *path = strstr(methods, name);
    if (path != NULL) {
        path += strlen(name);
        size_t size = strcspn(path, "\"");
        /* As tor quotes it: what is quoted inside is in no path of this image. */
        if (path[size] == '\0' || memchr(path, '\\', size) != NULL)
            say("unhealthy", "the path of tor's cookie has characters that are not read here");
        path[size] = '\0';
        if (contents(path, cookie, sizeof cookie) != COOKIE)
            say("unhealthy", "user %ju cannot read tor's cookie of %d bytes in %s",
                (uintmax_t)geteuid(), COOKIE, path);
        size_t length = strlen(command);
        command[length++] = ' ';
        for (int i = 0; i < COOKIE; i++)
            length += (size_t)snprintf(command + length, sizeof command - length, "%02x",
                                       (unsigned)cookie[i]);
    } else if (strncmp(methods, "NULL", 4) != 0) {
        say("unhealthy", "tor wants a password, which is not known here: let the torrc say "
            "`CookieAuthentication 1` besides");
    }
    ask(command, "", nothing, sizeof nothing);
}

/* A relay that has used up its traffic does nothing until the next period. */
static void check_hibernation(void)
{
    char state[32], wake[64], now[64];
    time_t seconds = time(NULL);
    struct tm parts;

    fact("accounting/hibernating", state, sizeof state);
    if (strcmp(state, "awake") == 0)
        return;
    if (strcmp(state, "soft") != 0 && strcmp(state, "hard") != 0)
        say("unhealthy", "tor is about to end");
    /* Tor may begin a period asleep, so that not all relays are awake at its beginning. */
    strftime(now, sizeof now, "%Y-%m-%d %H:%M:%S", gmtime_r(&seconds, &parts));
    fact("accounting/interval-wake", wake, sizeof wake);
    if (strcmp(wake, now) < 0)
        fact("accounting/interval-end", wake, sizeof wake);
    say("unhealthy", "hibernating (%s) until %s UTC, as AccountingMax says", state, wake);
}

/* When the certificate of the key that signs everything lapses, for people. */
static void check_certificate(char *until, size_t size)
{
    static const char header[] = "== ed25519v1-cert: type4 ==";
    unsigned char bytes[38] = {0};
    char folder[LINE], path[LINE + 64];

    option("KeyDirectory", folder, sizeof folder);
    if (folder[0] == '\0') {
        option("DataDirectory", folder, sizeof folder - sizeof "/keys");
        strcat(folder, "/keys");
    }
    snprintf(path, sizeof path, "%s/ed25519_signing_cert", folder);
    ssize_t length = contents(path, bytes, sizeof bytes);
    if (length < 0)
        say(errno == ENOENT ? not_yet() : "unhealthy", "cannot read the certificate %s: %s", path,
            strerror(errno));
    /* cert-spec: version, type, hours since 1970, after tor's 32 bytes of header. */
    if (length < (ssize_t)sizeof bytes || memcmp(bytes, header, sizeof header) != 0
        || bytes[32] != 1 || bytes[33] != 4)
        say("unhealthy", "%s is not a certificate of a signing key", path);
    int64_t lapses = ((int64_t)bytes[34] << 24 | bytes[35] << 16 | bytes[36] << 8 | bytes[37])
        * 3600;
    int64_t remains = lapses - (int64_t)time(NULL);
    time_t then = (time_t)lapses;
    struct tm parts;
    strftime(until, size, "%Y-%m-%d %H:%M UTC", gmtime_r(&then, &parts));
    snprintf(path, sizeof path, "%s/ed25519_master_id_secret_key", folder);
    bool master = access(path, R_OK) == 0;
    if (remains < (master ? SOON : NOTICE))
        say("unhealthy", "the signing key %s %s: %s", remains < 0 ? "lapsed" : "lapses", until,
            master ? "tor should have made a new one; its log says why it did not"
                   : "the master key is not here, so make a new one where it is: tor --keygen");
}

static void check_bootstrap(void)
{
    char phase[LINE];

    fact("status/bootstrap-phase", phase, sizeof phase);
    const char *progress = strstr(phase, "PROGRESS=");
    int percent = progress == NULL ? 0 : atoi(progress + strlen("PROGRESS="));
    if (percent >= 100)
        return;
    char *summary = strstr(phase, "SUMMARY=\"");
    if (summary != NULL) {
        summary += strlen("SUMMARY=\"");
        summary[strcspn(summary, "\"")] = '\0';
    }
    say(not_yet(), "bootstrapped %d%% after %ld seconds: %s", percent, running,
        summary == NULL ? phase : summary);
}

int main(int count, char **arguments)
{
    char answer[LINE], until[64];

    if (count > 1)
        data = arguments[1];
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += PATIENCE;
    reach();
    authenticate();
    fact("uptime", answer, sizeof answer);
    running = strtol(answer, NULL, 10);

    check_hibernation();
    check_certificate(until, sizeof until);
    check_bootstrap();
    fact("status/reachability-succeeded/or", answer, sizeof answer);
    if (strcmp(answer, "1") != 0)
        say(not_yet(), "bootstrapped, but the ORPort was not found reachable from outside yet: is "
            "it published, and open in every firewall?");
    option("PublishServerDescriptor", answer, sizeof answer);
    bool published = strcmp(answer, "0") != 0;
    fact("status/accepted-server-descriptor", answer, sizeof answer);
    if (published && strcmp(answer, "1") != 0)
        say(not_yet(), "bootstrapped and reachable, but no authority has accepted the relay's "
            "descriptor yet");
    say("healthy", "bootstrapped, ORPort reachable, descriptor %s, signing key good until %s",
        published ? "accepted" : "not published as PublishServerDescriptor says", until);
}
