/*
 * A conversation with tor over its control socket, each part of it within a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

/* The relay's data. The image's defaults let tor open `control.sock` there, and write in
   `control-ports` which others it has opened, should the torrc name another. */
static const char *data = "/tordata";
/* The control socket of a tor that runs elsewhere, if the command line names one. */
static const char *elsewhere;

/* How long tor may take for all answers together, in seconds. */
#ifndef PATIENCE
#define PATIENCE 8
#endif
/* No answer has as many lines. */
#define LINES 64
#define COOKIE 32

static int tor = -1;
static struct timespec deadline;
/* How many bytes tor was sent: in a test network it counts them among the network's. */
static uint64_t sent_bytes;

/* Gives what follows so many seconds. */
static void allow(int seconds)
{
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += seconds;
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

/* Waits until tor can be read from or written to; false if that takes too long. */
static bool ready(short event)
{
    struct pollfd wait = {.fd = tor, .events = event};

    for (;;) {
        int count = poll(&wait, 1, left());
        if (count >= 0)
            return count > 0;
        if (errno != EINTR)
            say("unhealthy", "cannot wait for tor: %s", strerror(errno));
    }
}

static void await(short event)
{
    if (!ready(event))
        say("unhealthy", "tor has not answered within %d seconds", PATIENCE);
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
        sent_bytes += (size_t)sent;
    }
}

/* The next line from tor, without its end; NULL if none comes until the deadline. */
static const char *next_line(void)
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
        if (!ready(POLLIN))
            return NULL;
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

static const char *line(void)
{
    const char *text = next_line();

    if (text == NULL)
        say("unhealthy", "tor has not answered within %d seconds", PATIENCE);
    return text;
}

/* Takes one more line of an answer, as far as there is room. */
static void take(const char *text, char *value, size_t size)
{
    size_t length = strlen(value);

    snprintf(value + length, size - length, "%s%s", length > 0 ? "\n" : "", text);
}

/*
 * Asks tor, and takes what follows `name` in the answer: `250-name...`, `250 name...`, or the
 * lines of `250+name...` up to the one with a dot. Several such lines are taken as several lines.
 * NULL where tor does so, and what it says otherwise.
 */
static const char *ask(const char *question, const char *name, char *value, size_t size)
{
    value[0] = '\0';
    put(question);
    put("\r\n");
    for (int count = 0; count < LINES; count++) {
        const char *answer = line();
        if (strncmp(answer, "650", 3) == 0)
            continue; /* news, of which `check_circuit` waits for its own */
        bool more = answer[0] != '\0' && answer[1] != '\0' && answer[2] != '\0' && answer[3] == '+';
        if (strncmp(answer, "250", 3) != 0 || (answer[3] != '-' && answer[3] != ' ' && !more))
            return answer;
        bool wanted = strncmp(answer + 4, name, strlen(name)) == 0;
        if (wanted)
            take(answer + 4 + strlen(name), value, size);
        if (more) {
            while (strcmp(answer = line(), ".") != 0) {
                if (wanted)
                    take(answer, value, size);
                if (count++ == LINES)
                    say("unhealthy", "tor answers to `%.12s...` with more than %d lines",
                        question, LINES);
            }
        } else if (answer[3] == ' ') {
            return NULL;
        }
    }
    say("unhealthy", "tor answers to `%.12s...` with more than %d lines", question, LINES);
}

/* The same, where tor has to do it. */
static void demand(const char *question, const char *name, char *value, size_t size)
{
    const char *refusal = ask(question, name, value, size);

    if (refusal != NULL)
        say("unhealthy", "tor answers to `%.12s...`: %s", question, refusal);
}

/* A fact that tor may have; empty where it has none. */
static void maybe(const char *key, char *value, size_t size)
{
    char question[128], name[128];

    snprintf(question, sizeof question, "GETINFO %s", key);
    snprintf(name, sizeof name, "%s=", key);
    if (ask(question, name, value, size) != NULL)
        value[0] = '\0';
}

/* A fact that tor has. */
static void fact(const char *key, char *value, size_t size)
{
    char question[128], name[128];

    snprintf(question, sizeof question, "GETINFO %s", key);
    snprintf(name, sizeof name, "%s=", key);
    demand(question, name, value, size);
    if (value[0] == '\0')
        say("unhealthy", "tor does not answer what `%s` is", key);
}

/* An option as it is in force, a line for each time it is set; empty where it is not set. */
static void option(const char *key, char *value, size_t size)
{
    char question[128], name[128];

    snprintf(question, sizeof question, "GETCONF %s", key);
    snprintf(name, sizeof name, "%s=", key);
    demand(question, name, value, size);
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

/* Where tor's control socket is: tor writes it down in the data directory. */
static void find(char *path, size_t size)
{
    char text[LINE], ports[LINE];

    snprintf(ports, sizeof ports, "%s/control-ports", data);
    ssize_t length = contents(ports, text, sizeof text - 1);
    if (length < 0 && errno == ENOENT)
        length = snprintf(text, sizeof text, "UNIX_PORT=%s/control.sock", data);
    else if (length < 0)
        say("unhealthy", "cannot read %s as user %ju: %s", ports, (uintmax_t)geteuid(),
            strerror(errno));
    text[(size_t)length < sizeof text ? (size_t)length : sizeof text - 1] = '\0';
    char *found = strstr(text, "UNIX_PORT=");
    if (found == NULL)
        say("unhealthy", "tor has no control socket: let the torrc say "
            "`ControlSocket /tordata/control.sock`");
    found += strlen("UNIX_PORT=");
    found[strcspn(found, "\n")] = '\0';
    snprintf(path, size, "%s", found);
}

/* Connects to tor's control socket. */
static void reach(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[LINE];

    if (elsewhere != NULL)
        snprintf(path, sizeof path, "%s", elsewhere);
    else
        find(path, sizeof path);
    if (strlen(path) >= sizeof address.sun_path)
        say("unhealthy", "the path of tor's control socket is longer than a socket's can be");
    strcpy(address.sun_path, path);
    tor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (tor >= 0 && connect(tor, (struct sockaddr *)&address, sizeof address) == 0)
        return;
    if (errno == ENOENT && elsewhere == NULL)
        say("starting", "tor has not opened its control socket yet, %s", path);
    say("unhealthy", "tor's control socket %s cannot be reached: %s", path, strerror(errno));
}

/* Shows tor the cookie that only its own user can read. */
static void authenticate(void)
{
    static const char name[] = "COOKIEFILE=\"";
    char methods[LINE], command[32 + 2 * COOKIE] = "AUTHENTICATE", nothing[1];
    unsigned char cookie[COOKIE + 1];

    demand("PROTOCOLINFO 1", "AUTH METHODS=", methods, sizeof methods);
    if (methods[0] == '\0')
        say("unhealthy", "tor does not say how it can be asked");
    char *path = strstr(methods, name);
    if (path != NULL) {
        path += strlen(name);
        size_t size = strcspn(path, "\"");
        /* As tor quotes it: what is quoted inside is in no path of this image. */
        if (path[size] == '\0' || memchr(path, '\\', size) != NULL)
            say("unhealthy", "the path of tor's cookie has characters that are not read here");
        path[size] = '\0';
        /* Tor in a container says where its cookie is in there: it lies beside the socket. */
        const char *slash = elsewhere == NULL ? NULL : strrchr(elsewhere, '/');
        const char *file = strrchr(path, '/');
        char beside[LINE];
        if (slash != NULL && file != NULL && access(path, R_OK) != 0) {
            snprintf(beside, sizeof beside, "%.*s%.1000s", (int)(slash - elsewhere), elsewhere, file);
            path = beside;
        }
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
    demand(command, "", nothing, sizeof nothing);
}
