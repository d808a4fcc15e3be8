/*
 * nyx (once arm) as one static program: libpython with a fixed configuration,
 * no search path but NYX_LIB, no environment, no site, no command line of its own.
 *
 * There is no `python` in the image. What can be imported is the archive under
 * NYX_LIB and the table of built-in modules below; the linker leaves out the rest.
 */
#include <Python.h>
#include <locale.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#ifndef NYX_LIB
#define NYX_LIB L"/usr/local/lib/nyx"
#endif
/* Where tor writes down which control sockets it has opened; the image's defaults say so. */
#ifndef PORTS
#define PORTS "/tordata/control-ports"
#endif

#include "inittab.h" /* _PyImport_Inittab, written from modules.txt: takes the place of libpython's config.o */

/* Leaves with what the configuration has to say, which is for whoever builds this. */
static void check(PyStatus status)
{
    if (PyStatus_Exception(status))
        Py_ExitStatusException(status);
}

static void start(int argc, char **argv)
{
    PyPreConfig before;
    PyConfig config;

    /* Terminals are UTF-8 today. musl knows no other encoding, so this also decides how curses draws. */
    setlocale(LC_CTYPE, "C.UTF-8");
    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1;
    check(Py_PreInitialize(&before));

    PyConfig_InitIsolatedConfig(&config);
    config.parse_argv = 0;
    config.site_import = 0;
    config.write_bytecode = 0;
    config.optimization_level = 2; /* as the archive was compiled */
    config.install_signal_handlers = 1;
    config.pathconfig_warnings = 0;
    check(PyConfig_SetString(&config, &config.program_name, L"nyx"));
    check(PyConfig_SetString(&config, &config.executable, L""));
    check(PyConfig_SetString(&config, &config.prefix, NYX_LIB));
    check(PyConfig_SetString(&config, &config.exec_prefix, NYX_LIB));
    check(PyConfig_SetString(&config, &config.base_executable, L""));
    check(PyConfig_SetString(&config, &config.base_prefix, NYX_LIB));
    check(PyConfig_SetString(&config, &config.base_exec_prefix, NYX_LIB));
    config.module_search_paths_set = 1;
    check(PyWideStringList_Append(&config.module_search_paths, NYX_LIB));
    /* A warning printed while curses draws would stay on the screen. */
    check(PyWideStringList_Append(&config.warnoptions, L"ignore"));
    check(PyConfig_SetBytesArgv(&config, argc, argv));
    check(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
}

#ifdef NYX_CHECK
/* Not in the image: imports every module named on the command line, to show that none is missing. */
int main(int argc, char **argv)
{
    int failed = 0;

    start(1, argv);
    for (int i = 1; i < argc; i++) {
        PyObject *module = PyImport_ImportModule(argv[i]);
        if (module == NULL) {
            fprintf(stderr, "cannot import %s\n", argv[i]);
            PyErr_Print();
            failed = 1;
        }
        Py_XDECREF(module);
    }
    return Py_FinalizeEx() < 0 || failed;
}
#else
/* Whether one of the words is one of these options, with its value in the same word or not. */
static bool has(int argc, char **argv, const char *letters, const char *const *names)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1] != '-' && argv[i][1] != '\0'
            && strchr(letters, argv[i][1]) != NULL)
            return true;
        for (const char *const *name = names; *name != NULL; name++)
            if (strncmp(argv[i], *name, strlen(*name)) == 0)
                return true;
    }
    return false;
}

/* The control socket that tor has written down, or NULL. */
static char *control_socket(void)
{
    static char line[512];
    FILE *file = fopen(PORTS, "re");
    char *found = NULL;

    while (file != NULL && found == NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "UNIX_PORT=", strlen("UNIX_PORT=")) == 0)
            found = line + strlen("UNIX_PORT=");
    if (file != NULL)
        fclose(file);
    if (found != NULL)
        found[strcspn(found, "\n")] = '\0';
    return found;
}

int main(int argc, char **argv)
{
    static const char *const places[] = {"--interface", "--socket", NULL};
    static const char *const questions[] = {"--help", "--version", NULL};
    static char *words[64];
    int failed = 1;

    if (!has(argc, argv, "hv", questions)) {
        if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
            fputs("error: this draws on a terminal, and there is none: in a container it is "
                  "`docker exec -ti NAME arm`\n", stderr);
            return 1;
        }
        char *socket = has(argc, argv, "is", places) ? NULL : control_socket();
        if (socket != NULL && argc < (int)(sizeof words / sizeof *words) - 3) {
            memcpy(words, argv, (size_t)argc * sizeof *words);
            words[argc++] = "-s";
            words[argc++] = socket;
            argv = words;
        }
    }
    start(argc, argv);
    PyObject *nyx = PyImport_ImportModule("nyx");
    PyObject *done = nyx ? PyObject_CallMethod(nyx, "main", NULL) : NULL;
    if (done != NULL)
        failed = 0;
    else
        PyErr_Print(); /* ends the program here on sys.exit() */
    Py_XDECREF(done);
    Py_XDECREF(nyx);
    if (Py_FinalizeEx() < 0)
        failed = 1;
    return failed;
}
#endif
