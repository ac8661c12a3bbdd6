// The bootstrap: a process that carries MILLRACE_BOOTSTRAP never reaches main. It becomes a fork server or a worker.
//
// One that carries MILLRACE_AGENT becomes an agent of a cluster, with threads and all: nothing of it is forked from here.
//
// The variable reads "role:depth:parent:had_backtrace:umask". It is erased before anything else, so what a worker starts is
// an ordinary program again.
#ifdef __linux__
#define _GNU_SOURCE
#include "launch_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "millrace_host.h"
#include "millrace_descriptor.h"
#include "millrace_tree.h"

#define VARIABLE "MILLRACE_BOOTSTRAP"
#define BACKTRACE "SWIFT_BACKTRACE"
#define TUNABLES "GLIBC_TUNABLES"

// The C library asks for huge pages where it takes large blocks from the system: large items and outputs are written
// once and given back, and each small page of them would be a fault. Read when a process starts, and by nobody else.
#define TUNABLES_OURS "glibc.malloc.hugetlb=1"

// A short backtrace: the crashed thread, no register dump, no image list, and not a word where the backtracer is not
// installed. And what may not be overruled: nobody is there to answer questions, and the parent reads plain text.
#define BACKTRACE_DEFAULTS "enable=yes,threads=crashed,images=none,registers=none,limit=24,top=4,warnings=suppressed"
#define BACKTRACE_FORCED "interactive=no,color=no,output-to=stderr"

enum { MOST_DESCRIPTORS = 65536 };  // that are closed one by one, where the kernel does not do it

extern char **environ;

int millrace_current_depth;

int millrace_depth(void) { return millrace_current_depth; }

void millrace_fatal(const char *message) {
  dprintf(STDERR_FILENO, "millrace: %s\n", message);
  _exit(70);
}

// Takes ours off the front of the program's own, if it has any.
static void give_back_tunables(void) {
  char *value = getenv(TUNABLES);
  size_t length = sizeof TUNABLES_OURS - 1;
  if (!value || strncmp(value, TUNABLES_OURS, length) != 0) return;
  if (value[length] == ':') memmove(value, value + length + 1, strlen(value + length + 1) + 1);
  else unsetenv(TUNABLES);
}

// Takes ours off both ends of the program's own settings, or away if it has none.
static void give_back_backtrace(int had) {
  char *value = getenv(BACKTRACE);
  size_t front = sizeof BACKTRACE_DEFAULTS, back = sizeof BACKTRACE_FORCED;  // each with its comma
  size_t length = value ? strlen(value) : 0;
  if (!had || length < front + back) {
    unsetenv(BACKTRACE);
    return;
  }
  value[length - back] = 0;
  memmove(value, value + front, length - back - front + 1);
}

typedef void (*initializer)(int, char **, char **);
extern initializer __init_array_start[] __attribute__((weak, visibility("hidden")));
extern initializer __init_array_end[] __attribute__((weak, visibility("hidden")));

// What the bootstrap does not come back from begins with the initialisers that are linked after it: in a static executable, the
// Swift runtime's are among them.
static void run_other_initialisers(initializer self, int argc, char **argv, char **environment) {
  initializer *own = __init_array_start;
  while (own < __init_array_end && *own != self) own++;
  for (own++; own < __init_array_end; own++) (*own)(argc, argv, environment);
}

__attribute__((constructor)) static void bootstrap(int argc, char **argv, char **environment) {
  const char *value = getenv(VARIABLE);
  const char *agent = getenv(MILLRACE_AGENT_VARIABLE);
  if (!value && agent && *agent) {
    char *settings = strdup(agent);
    unsetenv(MILLRACE_AGENT_VARIABLE);
    if (!millrace_agent_entry) millrace_fatal("a program that is to be an agent has to use MillraceCluster");
    run_other_initialisers((initializer)bootstrap, argc, argv, environment);
    millrace_agent_entry(settings);
    _exit(70);
  }
  if (!value) return;
  int role = 0, depth = 0, parent = 0, had_backtrace = 0, mask = -1;
  if (sscanf(value, "%d:%d:%d:%d:%d", &role, &depth, &parent, &had_backtrace, &mask) != 5)
    millrace_fatal("the variable " VARIABLE " is not for users: unset it");
  unsetenv(VARIABLE);
  millrace_current_depth = depth;
  if (mask >= 0) umask((mode_t)mask);
  millrace_fd_own(MILLRACE_BOOTSTRAP_FD);

  run_other_initialisers((initializer)bootstrap, argc, argv, environment);
  // What the initialisers of libraries have written the program has written already, when its own were run.
  __fpurge(stdout);
  __fpurge(stderr);
  // Read by now, and not for the programs that users' code starts.
  give_back_backtrace(had_backtrace);
  give_back_tunables();

  if (role == MILLRACE_ROLE_SERVER) millrace_fork_server_run(MILLRACE_BOOTSTRAP_FD, parent);
  millrace_child_serve(&(millrace_child){.control = MILLRACE_BOOTSTRAP_FD, .out = -1, .err = -1, .parent = parent});
}

// The words of the program's own command line, so that a worker sees the same `CommandLine.arguments`.
static char **copy_arguments(char **storage) {
  static char *fallback[] = {"millrace", NULL};
  *storage = NULL;
  int fd = millrace_fd_open("/proc/self/cmdline", O_RDONLY, 0);
  if (fd < 0) return fallback;
  size_t length = 0, capacity = 4096;
  char *text = malloc(capacity);
  ssize_t count = -1;
  while (text && (count = read(fd, text + length, capacity - length - 1)) > 0) {
    length += (size_t)count;
    if (length + 1 < capacity) continue;
    char *larger = realloc(text, capacity *= 2);
    if (!larger) free(text);
    text = larger;
  }
  close(fd);
  if (!text) return fallback;
  text[length] = 0;
  size_t words = 0;
  for (size_t i = 0; i < length; i += strlen(text + i) + 1) words++;
  char **arguments = words > 0 ? calloc(words + 1, sizeof *arguments) : NULL;
  if (!arguments) {
    free(text);
    return fallback;
  }
  char *at = text;
  for (size_t word = 0; word < words; word++, at += strlen(at) + 1) arguments[word] = at;
  *storage = text;
  return arguments;
}

int millrace_umask(void) {
  char text[4096];
  int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t count = read(fd, text, sizeof text - 1);
  close(fd);
  text[count > 0 ? count : 0] = 0;
  const char *line = strstr(text, "\nUmask:");
  return line ? (int)strtol(line + sizeof "\nUmask:" - 1, NULL, 8) : -1;
}

void millrace_surroundings_take_on(const millrace_surroundings *surroundings) {
  if (surroundings->folder && chdir(surroundings->folder) != 0) {
    // It is gone, and no place to begin in.
  }
  if (surroundings->mask >= 0) umask((mode_t)surroundings->mask);
  if (surroundings->environment) environ = surroundings->environment;
}

static int names(const char *entry, const char *variable) {
  size_t length = strlen(variable);
  return strncmp(entry, variable, length) == 0 && entry[length] == '=';
}

typedef struct {
  int sources[3];  // the control socket, standard output, standard error
  const char *folder;
  char **arguments, **environment;
} start_of_child;

static void put(int fd, int target) {
  if (fd == target) fcntl(fd, F_SETFD, 0);
  else dup2(fd, target);
}

static void open_at(int target, int flags) {
  int fd = open("/dev/null", flags);
  if (fd == target || fd < 0) return;
  dup2(fd, target);
  close(fd);
}

// In the child, which has the parent's memory until it is another program: system calls, and nothing else.
static void become(const start_of_child *start, pid_t parent) {
  // 1. Bound to the life of the thread that starts it from here on: libraries' constructors, which run before any line of
  // ours, may take for ever.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(70);
  // 2. Descriptors: each to its place. Ours are all above 2, so none is overwritten before it is copied.
  open_at(STDIN_FILENO, O_RDONLY);
  for (int target = STDOUT_FILENO; target <= STDERR_FILENO; target++) {
    if (start->sources[target] >= 0) put(start->sources[target], target);
    else if (fcntl(target, F_GETFD) < 0) open_at(target, O_WRONLY);
  }
  put(start->sources[0], MILLRACE_BOOTSTRAP_FD);
  // What careless code of the program left open at an exec: libraries that are initialised before us keep what they open.
  if (syscall(SYS_close_range, MILLRACE_BOOTSTRAP_FD + 1, ~0u, 0) != 0)
    for (int fd = MILLRACE_BOOTSTRAP_FD + 1; fd < MOST_DESCRIPTORS; fd++) close(fd);
  // One that is gone is no place to begin in.
  if (start->folder && chdir(start->folder) != 0) {
  }
  // 3. Signals as in a fresh program, and a process group of its own: Ctrl-C belongs to the parent.
  struct sigaction standard = {.sa_handler = SIG_DFL};
  for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &standard, NULL);
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  // 4. Through /proc: the very file that is running, whatever became of its path.
  execve("/proc/self/exe", start->arguments, start->environment);
}

// As posix_spawn does it, which cannot bind the child to our life.
static int start_child(const start_of_child *start, pid_t *pid) {
  volatile int error = 0;
  pid_t own = getpid();
  sigset_t all, before;
  sigfillset(&all);  // no handler of the program's may run in the child
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t child = vfork();
  if (child == 0) {
    become(start, own);
    error = errno;
    _exit(127);
  }
  if (child < 0) error = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (child > 0 && error) waitpid(child, NULL, 0);
  *pid = child;
  return error;
}

int millrace_spawn_self(
    int role, int control, int out, int err, const char *own_backtrace, const millrace_surroundings *surroundings,
    pid_t *pid, int *pidfd) {
  if (millrace_current_depth >= MILLRACE_DEPTH_LIMIT) return ELOOP;

  // 1. The environment, with our three variables.
  char **given = surroundings->environment ? surroundings->environment : environ;
  size_t entries = 0;
  while (given[entries]) entries++;
  char **environment = calloc(entries + 4, sizeof *environment);
  char *backtrace = NULL, *variable = NULL, *tunables = NULL;
  size_t kept = 0;
  const char *user_backtrace = NULL, *user_tunables = NULL;
  if (!environment) return ENOMEM;
  for (size_t i = 0; i < entries; i++) {
    if (names(given[i], BACKTRACE)) user_backtrace = strchr(given[i], '=') + 1;
    else if (names(given[i], TUNABLES)) user_tunables = strchr(given[i], '=') + 1;
    else if (!names(given[i], VARIABLE)) environment[kept++] = given[i];
  }
  int had_backtrace = user_backtrace != NULL;
  if (own_backtrace) user_backtrace = own_backtrace;
  if (asprintf(
          &backtrace, BACKTRACE "=" BACKTRACE_DEFAULTS ",%s%s" BACKTRACE_FORCED, user_backtrace ? user_backtrace : "",
          user_backtrace ? "," : "") < 0)
    backtrace = NULL;
  if (asprintf(
          &variable, VARIABLE "=%d:%d:%d:%d:%d", role, millrace_current_depth + 1, (int)getpid(), had_backtrace,
          surroundings->mask) < 0)
    variable = NULL;
  // Theirs come last, for the last one holds.
  if (asprintf(
          &tunables, TUNABLES "=" TUNABLES_OURS "%s%s", user_tunables ? ":" : "", user_tunables ? user_tunables : "") < 0)
    tunables = NULL;
  environment[kept++] = variable;
  environment[kept++] = backtrace;
  environment[kept] = tunables;
  char *text;
  char **arguments = copy_arguments(&text);

  // 2. The process itself, with the program's CPUs, whatever this thread is bound to.
  int error = variable && backtrace && tunables ? 0 : ENOMEM;
  start_of_child start = {{control, out, err}, surroundings->folder, arguments, environment};
  cpu_set_t own;
  int has_own = sched_getaffinity(0, sizeof own, &own) == 0;
  millrace_affinity_of_program();
  if (!error) error = start_child(&start, pid);
  if (has_own) sched_setaffinity(0, sizeof own, &own);
  if (!error) {
    *pidfd = millrace_pidfd_own(*pid);
    if (*pidfd < 0) {
      error = -*pidfd;
      kill(*pid, SIGKILL);
      waitpid(*pid, NULL, 0);
    }
  }
  if (text) {
    free(text);
    free(arguments);
  }
  free(backtrace);
  free(variable);
  free(tunables);
  free(environment);
  return error;
}
#endif
