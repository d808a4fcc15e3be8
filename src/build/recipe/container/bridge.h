/*
 * `relay-health bridge-line`: what somebody puts into Tor Browser to come in by this bridge.
 *
 * Tor writes it to `bridgelines` in its data directory when a transport has started.
 */
static _Noreturn void refuse(const char *what, const char *fix)
{
    static char fit[7 * LINE];

    shown(what, fit, sizeof fit);
    fprintf(stderr, "error: %s\n", fit);
    shown(fix, fit, sizeof fit);
    fprintf(stderr, "hint: %s\n", fit);
    _exit(1);
}

/* Prints the lines of `folder`, each as one may paste it, and ends. */
static _Noreturn void print_bridge_lines(const char *folder)
{
    char path[LINE], text[LINE], what[2 * LINE], fit[7 * LINE];

    snprintf(path, sizeof path, "%.4000s/bridgelines", folder);
    ssize_t length = contents(path, text, sizeof text - 1);
    if (length < 0 && errno != ENOENT) {
        snprintf(what, sizeof what, "cannot read %s as user %ju: %s", path, (uintmax_t)geteuid(),
                 strerror(errno));
        refuse(what, "run this as tor's user, in tor's container");
    }
    text[length > 0 ? length : 0] = '\0';
    if (text[0] == '\0') {
        snprintf(what, sizeof what, "there is no bridge line: %s is %s", path,
                 length < 0 ? "missing" : "empty");
        refuse(what, "tor writes it once a transport is running; the torrc needs `BridgeRelay 1` and "
               "`ServerTransportPlugin obfs4 exec /usr/local/bin/lyrebird`, and the log shows what "
               "happened to it");
    }
    /* Tor leaves a gap for the address in what it does not know to be complete. */
    if (strchr(text, '<') != NULL) {
        snprintf(what, sizeof what, "the bridge line in %s has no address: tor did not know its own "
                 "when it wrote the line", path);
        refuse(what, "write `Address` and the public IPv4 address of the machine into the torrc, "
               "and restart the container");
    }
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (strncmp(line, "Bridge ", strlen("Bridge ")) == 0)
            line += strlen("Bridge ");
        if (*line == '\0')
            continue;
        shown(line, fit, sizeof fit);
        puts(fit);
    }
    fflush(stdout);
    _exit(0);
}
