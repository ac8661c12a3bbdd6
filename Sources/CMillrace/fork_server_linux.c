// The fork server: this executable, spawned before its main, single-threaded for ever, with hardly any memory touched.
// So a fork of it is quick and clean, and its parent-death signal can be relied on.
#ifdef __linux__
#define _GNU_SOURCE
#include "launch_internal.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "millrace_descriptor.h"
#include "millrace_socket.h"
#include "millrace_tree.h"

static struct {
  int socket;   // requests and answers
  int signals;  // SIGCHLD, and those that end us
  int parent;   // the program's pidfd: its end is seen even if somebody else holds the other end of the socket
  pid_t *pids;  // the workers alive...
  uint64_t *tokens;  // ...and the names that the program gave them
  size_t count, capacity;
} server;

static _Noreturn void end(void) {
  millrace_descendants_kill(getpid(), NULL, 0);
  while (waitpid(-1, NULL, WNOHANG) > 0) {}
  _exit(0);
}

// 0, or errno.
static int answer(millrace_server_answer message, int fd) {
  // Blocking: the program drains its end whenever there is something in it. EPIPE: it is gone, and the main loop sees.
  return millrace_socket_send(server.socket, &message, sizeof message, &fd, fd >= 0, 1);
}

static int make_room(void) {
  if (server.count < server.capacity) return 1;
  size_t capacity = server.capacity ? server.capacity * 2 : 16;
  pid_t *pids = realloc(server.pids, capacity * sizeof *pids);
  if (pids) server.pids = pids;
  uint64_t *tokens = realloc(server.tokens, capacity * sizeof *tokens);
  if (tokens) server.tokens = tokens;
  if (!pids || !tokens) return 0;
  server.capacity = capacity;
  return 1;
}

static void fork_worker(const millrace_server_request *request, const int *fds, size_t fd_count, int lost) {
  int out = -1, err = -1;
  size_t next = 1;
  if (request->flags & MILLRACE_SERVER_HAS_STDOUT) out = next < fd_count ? fds[next++] : -1;
  if (request->flags & MILLRACE_SERVER_HAS_STDERR) err = next < fd_count ? fds[next++] : -1;
  millrace_server_answer reply = {.kind = MILLRACE_SERVER_FAILED, .token = request->token, .value = EINVAL};
  if (request->kind != MILLRACE_SERVER_FORK || fd_count != next) {
    if (lost) reply.value = EMFILE;
    answer(reply, -1);
    return;
  }
  if (!make_room()) {
    reply.value = ENOMEM;
    answer(reply, -1);
    return;
  }

  pid_t own = getpid();
  pid_t pid = fork();
  if (pid == 0) millrace_child_serve(&(millrace_child){.control = fds[0], .out = out, .err = err, .parent = own});
  if (pid < 0) {
    reply.value = errno;
    answer(reply, -1);
    return;
  }
  setpgid(pid, pid);
  server.pids[server.count] = pid;
  server.tokens[server.count++] = request->token;
  reply.pid = pid;
  int pidfd = millrace_pidfd_own(pid);  // cannot be a stranger: only we reap it, and later
  int error = -pidfd;
  if (pidfd >= 0) {
    reply.kind = MILLRACE_SERVER_STARTED;
    error = answer(reply, pidfd);
    millrace_fd_close(pidfd);
  }
  if (error <= 0) return;
  // Nobody can have it as a worker: there is no descriptor of it, or none could be sent (ETOOMANYREFS).
  kill(pid, SIGKILL);
  reply.kind = MILLRACE_SERVER_FAILED;
  reply.value = error;
  answer(reply, -1);
}

// Returns 0 when the program is gone.
static int serve(void) {
  millrace_server_request request;
  int fds[MILLRACE_MESSAGE_DESCRIPTORS];
  size_t fd_count;
  int lost;
  long length = millrace_socket_receive(server.socket, &request, sizeof request, fds, &fd_count, 0, &lost);
  if (length == 0) return 0;
  if (length == sizeof request) fork_worker(&request, fds, fd_count, lost);
  for (size_t i = 0; i < fd_count; i++) millrace_fd_close(fds[i]);
  return 1;
}

static void reap(void) {
  int status;
  struct rusage usage;
  pid_t pid;
  while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
    size_t i = 0;
    while (i < server.count && server.pids[i] != pid) i++;
    int is_worker = i < server.count;
    millrace_server_answer reply = {
        .kind = MILLRACE_SERVER_EXITED,
        .token = is_worker ? server.tokens[i] : 0,
        .pid = pid,
        .value = status,
        .max_rss_kib = (uint64_t)usage.ru_maxrss};
    if (is_worker) {
      server.count--;
      server.pids[i] = server.pids[server.count];
      server.tokens[i] = server.tokens[server.count];
    }
    // Whoever it left behind is our child now (we are its subreaper). Nothing of a worker outlives it.
    millrace_descendants_kill(getpid(), server.pids, server.count);
    if (is_worker) answer(reply, -1);
  }
}

void millrace_fork_server_run(int socket, pid_t parent) {
  server.socket = socket;
  server.parent = millrace_pidfd_own(parent);
  if (server.parent < 0 || getppid() != parent) _exit(0);  // died before we looked
  // Its end is ours to see now, so that the workers go with us. Should somebody have stopped us, we go on to do so.
  prctl(PR_SET_PDEATHSIG, SIGCONT);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "millrace-server");
  signal(SIGINT, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_SETMASK, &signals, NULL);
  server.signals = millrace_fd_own(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (server.signals < 0) millrace_fatal("the fork server has no signalfd");

  struct pollfd news[3] = {{server.socket, POLLIN, 0}, {server.signals, POLLIN, 0}, {server.parent, POLLIN, 0}};
  for (;;) {
    if (poll(news, 3, -1) < 0 && errno != EINTR) end();
    if (news[2].revents) end();
    if (news[1].revents) {
      struct signalfd_siginfo info;
      int ends = 0;
      while (read(server.signals, &info, sizeof info) == sizeof info) ends |= info.ssi_signo != SIGCHLD;
      if (ends) end();
      reap();
    }
    if (news[0].revents && !serve()) end();
  }
}
#endif
