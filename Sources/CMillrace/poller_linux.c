#ifdef __linux__
#include "millrace_poller.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include "millrace_descriptor.h"

int millrace_poller_create(void) {
  millrace_fd_lock();
  int poller = millrace_fd_own(epoll_create1(EPOLL_CLOEXEC));
  millrace_fd_unlock();
  return poller;
}

int millrace_poller_add(int poller, int descriptor, uint64_t token) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = token};
  return epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : errno;
}

int millrace_poller_watch_socket(int poller, int descriptor, uint64_t token, int is_new, int wants_room) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | (wants_room ? EPOLLOUT : 0), .data.u64 = token};
  return epoll_ctl(poller, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, &event) == 0 ? 0 : errno;
}

int millrace_poller_add_hang_up(int poller, int descriptor, uint64_t token) {
  struct epoll_event event = {.events = EPOLLRDHUP, .data.u64 = token};
  return epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : errno;
}

void millrace_poller_remove(int poller, int descriptor) { epoll_ctl(poller, EPOLL_CTL_DEL, descriptor, 0); }

int millrace_poller_wait(int poller, int lifeline, uint64_t *tokens, int capacity, int milliseconds) {
  // Asleep in epoll_wait, nobody hears that the poller, or what it watches, was closed. poll holds both until it returns.
  struct pollfd polled[2] = {{poller, POLLIN, 0}, {lifeline, POLLIN, 0}};
  int count = poll(polled, 2, milliseconds);
  if (count < 0) return errno == EINTR ? 0 : -errno;
  if (polled[1].revents || polled[0].revents & ~POLLIN) return -EBADF;
  if (count == 0) return 0;
  struct epoll_event events[64];
  count = epoll_wait(poller, events, capacity < 64 ? capacity : 64, 0);
  if (count < 0) return errno == EINTR ? 0 : -errno;
  for (int i = 0; i < count; i++) tokens[i] = events[i].data.u64;
  return count;
}
#endif
