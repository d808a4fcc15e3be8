/*
 * Whether the relay is well, asked of tor itself through its control socket.
 *
 * Prints one line, `healthy: ...`, `starting: ...` or `unhealthy: ...`, or with `--json` one
 * object, and ends with 0 for the first and 1 for the others: an engine takes no other codes, and
 * does not count a failure during the start period. What does not stop the relay is a warning at
 * the end of the line.
 *
 * Most of what tor says once stays said when the network is gone, so the check also waits for
 * bytes to arrive, and where none do it has tor build a circuit. It tries to write a file in the
 * data directory, which is never given a name, and otherwise changes nothing.
 *
 * The protocol is that of tor's control-spec; what the answers mean was read in tor 0.4.9.11.
 */
#define _GNU_SOURCE
#include "owner.h"
#include "say.h"
#include "control.h"
#include "bridge.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* How long bytes of the network may take to arrive, before a circuit is built, in seconds. */
#ifndef QUIET
#define QUIET 2
#endif
/* How long circuits may take to be built, in seconds. All three together are less than the
   time that an engine gives this check. */
#ifndef BUILDING
#define BUILDING 18
#endif
/* A circuit that cannot be built is tried again, for its relays may be at fault. */
#define TRIES 3
/* After so many milliseconds. */
#define PAUSE 500
/* How long a relay may take until it is bootstrapped, reachable and known to an authority:
   tor complains of an ORPort that was not found reachable after 20 minutes. In seconds. */
#define START (20 * 60)
/* Tor makes a new signing key a day before the old one lapses, where it has the master key. */
#define SOON (60 * 60)
/* Where it has not, its operator has to. In seconds. */
#define NOTICE (7 * 24 * 60 * 60)
/* What tor writes before it is full, and below which its operator should know, in bytes. */
#define WRITTEN 65536
#define SCARCE (64LL << 20)
/* Tor uses a consensus for a day after its end, in seconds. */
#define REASONABLY_LIVE (24 * 60 * 60)

/* How long tor has been running, in seconds. */
static long running = -1;

/* What a relay is that lacks something it gets only after a while. */
static const char *not_yet(void)
{
    return running < START ? "starting" : "unhealthy";
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
    if (elsewhere != NULL)
        snprintf(folder, sizeof folder, "%.*s/keys", (int)(strrchr(elsewhere, '/') - elsewhere),
                 elsewhere);
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
    tell("signing_key_until", until, true);
    snprintf(path, sizeof path, "%s/ed25519_master_id_secret_key", folder);
    bool master = access(path, R_OK) == 0;
    tell("master_key_here", master ? "true" : "false", false);
    const char *why = master
        ? "tor should have renewed it; its log says why it did not"
        : "the master key is kept elsewhere, so renew it there: tor --keygen";
    if (remains <= 0)
        say("unhealthy", "the signing key expired %s: %s", until, why);
    if (remains < (master ? SOON : NOTICE))
        warn("the signing key expires %s: %s", until, why);
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

/* Says why tor cannot write its data, which it does all the time. */
static _Noreturn void unwritable(int why)
{
    if (why == ENOSPC || why == EDQUOT)
        say("unhealthy", "%s is full, so tor cannot save its keys and its state: %s", data,
            strerror(why));
    if (why == EROFS)
        say("unhealthy", "%s is read-only, so tor cannot save its keys and its state", data);
    say("unhealthy", "user %ju cannot write to %s, where tor keeps its keys and its state: %s",
        (uintmax_t)geteuid(), data, strerror(why));
}

/* Writes to the data directory what nobody will find there: quotas and limits of a volume show
   in no other way. */
static void check_space(void)
{
    static char bytes[WRITTEN];
    char path[LINE];
    struct statvfs space;

    memset(bytes, 0xa5, sizeof bytes);
    int file = open(data, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        /* A file system without files that have no name. */
        snprintf(path, sizeof path, "%.4000s/.relay-health.XXXXXX", data);
        file = mkstemp(path);
        if (file >= 0)
            unlink(path);
    }
    if (file < 0 && errno == ENOENT)
        return; /* tor will say what is wrong with it */
    if (file < 0)
        unwritable(errno);
    for (size_t written = 0; written < sizeof bytes;) {
        ssize_t count = write(file, bytes + written, sizeof bytes - written);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            unwritable(count == 0 ? ENOSPC : errno);
        written += (size_t)count;
    }
    if (close(file) != 0)
        unwritable(errno);
    if (statvfs(data, &space) == 0) {
        long long available = (long long)space.f_bavail * (long long)space.f_frsize;
        if (available < SCARCE)
            warn("only %lld MB are left in %s", available / 1000000, data);
    }
}

/* Whether the directory authorities still want the tor that runs. */
static void check_version(void)
{
    char version[64], status[64];

    fact("version", version, sizeof version);
    maybe("status/version/current", status, sizeof status);
    tell("version", version, true);
    tell("version_status", status, true);
    if (strcmp(status, "obsolete") == 0 || strcmp(status, "unrecommended") == 0)
        warn("the directory authorities call tor %s %s: build an image with a newer tor",
             version, status);
}

/* Whether a process of this container was started as the program `path`. */
static bool runs(const char *path)
{
    bool found = false;
    DIR *processes = opendir("/proc");

    for (struct dirent *entry; processes != NULL && !found && (entry = readdir(processes));) {
        char name[300], words[LINE];
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        snprintf(name, sizeof name, "/proc/%s/cmdline", entry->d_name);
        ssize_t length = contents(name, words, sizeof words - 1);
        if (length <= 0)
            continue; /* a process that has ended has no words */
        words[length] = '\0';
        /* Its first word, or the second or third after the interpreter of a script. */
        const char *word = words;
        for (int i = 0; i < 3 && word < words + length; i++, word += strlen(word) + 1)
            found = found || strcmp(word, path) == 0;
    }
    if (processes != NULL)
        closedir(processes);
    return found;
}

/* What keeps transports from the keys that they have in tor's data, and what fixes it; NULL where
   nothing does. */
static const char *state_fault(void)
{
    static char text[8 * PATH];
    char folder[PATH], path[2 * PATH];
    struct stat found;

    snprintf(folder, sizeof folder, "%.4000s/pt_state", data);
    strcpy(path, folder);
    bool usable = access(folder, F_OK) != 0 || access(folder, R_OK | W_OK | X_OK) == 0;
    bool empty = false;
    DIR *state = opendir(folder);
    for (struct dirent *entry; state != NULL && usable && !empty && (entry = readdir(state));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        usable = access(path, R_OK | W_OK) == 0;
        /* A full disk leaves one; no transport takes it for keys, and none replaces it. */
        empty = strstr(entry->d_name, ".json") != NULL && stat(path, &found) == 0
            && found.st_size == 0;
    }
    if (state != NULL)
        closedir(state);
    if (!usable && stat(path, &found) == 0)
        snprintf(text, sizeof text, "user %ju cannot read and write %s, where its keys are; %s; "
                 "then restart the container", (uintmax_t)geteuid(), path,
                 found.st_uid == geteuid() ? on_host("chmod -R u+rwX", data) : give(data));
    else if (empty)
        snprintf(text, sizeof text, "%s, where its keys were, is empty; restore it from a backup, or "
                 "remove it to get new keys and a new bridge line; then restart the "
                 "container", path);
    else
        return NULL;
    return text;
}

/* Whether the programs run that bridges hide their traffic with. Tor tells only its log. */
static void check_transports(void)
{
    char lines[LINE], bridge[8];
    bool alive = false, dead = false;

    option("ServerTransportPlugin", lines, sizeof lines);
    option("BridgeRelay", bridge, sizeof bridge);
    tell("bridge", strcmp(bridge, "1") == 0 ? "true" : "false", false);
    if (elsewhere != NULL)
        return; /* its processes may be in a container */
    /* Tor starts again what ended; what does not run could not start. */
    const char *fault = state_fault();
    const char *help = fault != NULL ? fault
        : "tor's log says why; once that is fixed, restart the container";
    char *rest = lines, names[128] = "", path[1024] = "";
    for (char *text; (text = strsep(&rest, "\n")) != NULL;) {
        char these[128], program[1024];
        if (sscanf(text, "%127s exec %1023s", these, program) != 2)
            continue;
        if (runs(program)) {
            alive = true;
            continue;
        }
        dead = true;
        strcpy(names, these);
        strcpy(path, program);
        warn("the transport %s is not running: %s has ended: %s", these, program, help);
    }
    if (dead && !alive && strcmp(bridge, "1") == 0) {
        warned = 0; /* said here */
        say(running < 60 ? "starting" : "unhealthy", "the bridge has no running transport: %s of "
            "%s has ended: %s", path, names, help);
    }
}

/* Whether tor knows the network as it is now. */
static void check_directory(void)
{
    char until[32], enough[8];
    struct tm parts = {0};

    maybe("consensus/valid-until", until, sizeof until);
    tell("consensus_valid_until", until, true);
    if (strptime(until, "%Y-%m-%d %H:%M:%S", &parts) != NULL && timegm(&parts) < time(NULL))
        warn("the consensus expired at %s UTC, and tor could not get a newer one: the directory "
             "authorities or the way to them are down, or this clock is wrong", until);
    maybe("status/enough-dir-info", enough, sizeof enough);
    if (strcmp(enough, "0") == 0)
        say(not_yet(), "tor does not know enough about the network to build circuits");
}

/* Whether bytes have arrived since the last call that were not this check's own questions. */
static bool arrived(void)
{
    static uint64_t before, sent_before;
    char answer[32];

    fact("traffic/read", answer, sizeof answer);
    uint64_t now = strtoull(answer, NULL, 10);
    bool more = sent_before > 0 && now - before > sent_bytes - sent_before;
    before = now;
    sent_before = sent_bytes;
    return more;
}

/* Has tor build a circuit of its own choice. */
static void check_circuit(void)
{
    char answer[64], why[64] = "", live[16];
    int tries = 0;

    maybe("network-liveness", live, sizeof live);
    demand("SETEVENTS CIRC", "", answer, sizeof answer);
    allow(BUILDING);
    for (; tries < TRIES && left() > 0; tries++) {
        char built[96], name[64], close_it[96];
        if (tries > 0 && left() > PAUSE)
            poll(NULL, 0, PAUSE);
        const char *refusal = ask("EXTENDCIRCUIT 0", "EXTENDED ", name, sizeof name);
        if (refusal != NULL) {
            snprintf(why, sizeof why, "%s", refusal);
            continue;
        }
        snprintf(close_it, sizeof close_it, "CLOSECIRCUIT %s\r\n", name);
        int length = snprintf(built, sizeof built, "650 CIRC %s ", name);
        for (;;) {
            const char *event = next_line();
            if (event == NULL) {
                allow(1);
                put(close_it);
                deadline = (struct timespec){0};
                break;
            }
            if (length < 0 || strncmp(event, built, (size_t)length) != 0)
                continue;
            event += length;
            if (strncmp(event, "BUILT", 5) == 0) {
                put(close_it);
                return;
            }
            if (strncmp(event, "FAILED", 6) == 0 || strncmp(event, "CLOSED", 6) == 0) {
                const char *reason = strstr(event, " REASON=");
                snprintf(why, sizeof why, "%s", reason == NULL ? event : reason + 1);
                break;
            }
        }
    }
    say("unhealthy", "nothing arrives from the network, and no circuit could be built (%s; tor "
        "considers the network %s): is the machine connected, and are outgoing connections "
        "allowed?", why[0] == '\0' ? "no answer in time" : why, live[0] == '\0' ? "?" : live);
}

/* Whether the network is there now: bytes of it arrive, or a circuit can be built. */
static void check_network(void)
{
    char live[16];

    maybe("network-liveness", live, sizeof live);
    if (strcmp(live, "down") != 0)
        for (int i = 0; i <= QUIET * 5; i++) {
            if (arrived())
                return;
            poll(NULL, 0, 200);
        }
    check_circuit();
}

/* The relay's own entry in the consensus tor has, empty if it is not listed. */
static void consensus_entry(char *entry, size_t size)
{
    char fingerprint[64], key[64];

    maybe("fingerprint", fingerprint, sizeof fingerprint);
    snprintf(key, sizeof key, "ns/id/%.40s", fingerprint);
    maybe(key, entry, size);
}

/* What `--json` tells of the relay besides how it is. */
static void describe(void)
{
    static const char *const known[][2] = {
        {"address", "address/v4"}, {"address_v6", "address/v6"},
        {"accounting_left", "accounting/bytes-left"},
        {"accounting_end", "accounting/interval-end"}, {"hibernating", "accounting/hibernating"},
    };
    static const char *const numbers[][2] = {
        {"uptime", "uptime"}, {"bytes_read", "traffic/read"}, {"bytes_written", "traffic/written"},
        {"accounting", "accounting/enabled"}, {"reachable", "status/reachability-succeeded/or"},
        {"descriptor_accepted", "status/accepted-server-descriptor"},
        {"max_mem_in_queues", "limits/max-mem-in-queues"},
    };
    static const char *const options[][2] = {
        {"nickname", "Nickname"}, {"contact", "ContactInfo"}, {"my_family", "MyFamily"},
        {"family_id", "FamilyId"}, {"or_port", "ORPort"}, {"rate", "RelayBandwidthRate"},
        {"burst", "RelayBandwidthBurst"}, {"transports", "ServerTransportPlugin"},
    };
    char value[LINE], key[128];

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        option(options[i][1], value, sizeof value);
        tell(options[i][0], value, true);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        maybe(numbers[i][1], value, sizeof value);
        if (value[0] != '\0' && strspn(value, "0123456789") == strlen(value))
            tell(numbers[i][0], value, false);
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        maybe(known[i][1], value, sizeof value);
        if (value[0] != '\0')
            tell(known[i][0], value, true);
    }
    maybe("status/bootstrap-phase", value, sizeof value);
    const char *progress = strstr(value, "PROGRESS=");
    snprintf(key, sizeof key, "%d", progress == NULL ? 0 : atoi(progress + strlen("PROGRESS=")));
    tell("bootstrapped", key, false);
    maybe("fingerprint", value, sizeof value);
    tell("fingerprint", value, true);
    consensus_entry(value, sizeof value);
    char *rest = value;
    for (char *text; (text = strsep(&rest, "\n")) != NULL;)
        if (strncmp(text, "s ", 2) == 0)
            tell("flags", text + 2, true);
        else if (strncmp(text, "w ", 2) == 0)
            tell("consensus_weight", text + 2, true);
    static const char *const files[][2] = {
        {"fingerprint_ed25519", "fingerprint-ed25519"}, {"bridge_lines", "bridgelines"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[LINE];
        snprintf(path, sizeof path, "%.4000s/%s", data, files[i][1]);
        ssize_t length = contents(path, value, sizeof value - 1);
        value[length > 0 ? length : 0] = '\0';
        /* Tor leaves a gap for the address in what it does not know to be complete. */
        if (value[0] != '\0' && strchr(value, '<') == NULL)
            tell(files[i][0], value, true);
    }
}

/* What clients know of the relay, by which they find it. */
static const char *descriptor_state(void)
{
    char answer[LINE];

    option("PublishServerDescriptor", answer, sizeof answer);
    if (strcmp(answer, "0") == 0)
        return "not published as PublishServerDescriptor says";
    fact("status/accepted-server-descriptor", answer, sizeof answer);
    if (strcmp(answer, "1") == 0)
        return "accepted";
    /* Tor forgets what it published once something changes, a lost network too, and may publish
       hours later; clients go by the consensus. */
    consensus_entry(answer, sizeof answer);
    if (answer[0] != '\0')
        return "in the consensus";
    say(not_yet(), "bootstrapped and reachable, but no authority has accepted the relay's "
        "descriptor yet");
}

static const char help[] =
    "usage: relay-health [--json] [DIR]\n"
    "       relay-health [--json] --socket SOCKET\n"
    "       relay-health bridge-line [DIR]\n"
    "\n"
    "Prints the state of the relay in one line: healthy, starting or unhealthy, and why. Exits with\n"
    "0 if it is healthy, and with 1 otherwise. DIR is tor's data directory, by default /tordata.\n"
    "SOCKET is the control socket of a tor that may run elsewhere, with its data beside it.\n"
    "\n"
    "  --json  print the same as JSON, with everything that is known about the relay\n"
    "  bridge-line  print the line that others need to use this bridge, and nothing else\n";

/* Takes the command line; what is wrong with it is no answer about the relay. */
static void read_arguments(char **words)
{
    static char folder[LINE];
    bool named = false;

    if (*words != NULL && strcmp(*words, "bridge-line") == 0 &&
        (words[1] == NULL || (words[1][0] == '/' && words[2] == NULL)))
        print_bridge_lines(words[1] == NULL ? data : words[1]);
    for (; *words != NULL; words++)
        if (strcmp(*words, "--help") == 0 || strcmp(*words, "-h") == 0) {
            fputs(help, stdout);
            fflush(stdout);
            _exit(0);
        } else if (strcmp(*words, "--json") == 0) {
            json = true;
        } else if (strcmp(*words, "--socket") == 0 && words[1] != NULL && strchr(words[1], '/')) {
            elsewhere = *++words;
            snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(elsewhere, '/') - elsewhere),
                     elsewhere);
            data = folder[0] == '\0' ? "/" : folder;
            named = true;
        } else if (**words != '-' && **words != '\0' && !named) {
            data = *words;
            named = true;
        } else {
            fputs(help, stderr);
            _exit(2);
        }
}

int main(int count, char **arguments)
{
    char answer[LINE], until[64];

    (void)count;
    read_arguments(arguments + 1);
    allow(PATIENCE);
    if (elsewhere == NULL)
        check_space();
    reach();
    authenticate();
    arrived();
    fact("uptime", answer, sizeof answer);
    running = strtol(answer, NULL, 10);
    if (json)
        describe();

    check_version();
    check_hibernation();
    check_certificate(until, sizeof until);
    check_transports();
    check_bootstrap();
    check_directory();
    fact("status/reachability-succeeded/or", answer, sizeof answer);
    if (strcmp(answer, "1") != 0)
        say(not_yet(), "bootstrapped, but tor has not found its ORPort reachable from outside "
            "yet: is it published, and open in every firewall?");
    const char *descriptor = descriptor_state();
    check_network();
    say("healthy", "bootstrapped, ORPort reachable, descriptor %s, signing key good until %s",
        descriptor, until);
}
