#ifdef __linux__
#include "millrace_poller.h"

#include <errno.h>
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

int millrace_poller_add_hang_up(int poller, int descriptor, uint64_t token) {
  struct epoll_event event = {.events = EPOLLRDHUP, .data.u64 = token};
  return epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : errno;
}

void millrace_poller_remove(int poller, int descriptor) { epoll_ctl(poller, EPOLL_CTL_DEL, descriptor, 0); }

int millrace_poller_wait(int poller, uint64_t *tokens, int capacity, int milliseconds) {
  struct epoll_event events[64];
  int count = epoll_wait(poller, events, capacity < 64 ? capacity : 64, milliseconds);
  for (int i = 0; i < count; i++) tokens[i] = events[i].data.u64;
  return count > 0 ? count : 0;
}
#endif
