/*
 * Whether tor will be able to listen where its torrc tells it to.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

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
            snprintf(hint, sizeof hint, "on the host: `ss -ltnp 'sport = :%lu'` shows by what; end it, or take "
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
