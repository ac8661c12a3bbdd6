#ifdef __linux__
#define _GNU_SOURCE
#include "millrace_socket.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "millrace_descriptor.h"

int millrace_socket_pair(int fds[2]) {
  millrace_fd_lock();
  int error = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0 ? millrace_fd_own_pair(fds) : errno;
  millrace_fd_unlock();
  return error;
}

int millrace_pipe(int fds[2]) {
  millrace_fd_lock();
  int error = pipe2(fds, O_CLOEXEC) == 0 ? millrace_fd_own_pair(fds) : errno;
  millrace_fd_unlock();
  return error;
}

int millrace_socket_send(int fd, const void *bytes, size_t count, const int *fds, size_t fd_count, int wait) {
  if (count == 0 || fd_count > MILLRACE_MESSAGE_DESCRIPTORS) return EINVAL;  // an empty message reads like the end
  struct iovec part = {(void *)bytes, count};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(MILLRACE_MESSAGE_DESCRIPTORS * sizeof(int))];
  } control;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (fd_count > 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.room;
    message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
  }
  for (;;) {
    if (sendmsg(fd, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT)) >= 0) return 0;
    if (errno != EINTR) return errno == ECONNRESET ? EPIPE : errno;
  }
}

long millrace_socket_receive(
    int fd, void *bytes, size_t capacity, int *fds, size_t *fd_count, int wait, int *lost) {
  struct iovec part = {bytes, capacity};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(MILLRACE_MESSAGE_DESCRIPTORS * sizeof(int))];
  } control;
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
  *fd_count = 0;
  *lost = 0;
  // Waited for without the lock, taken with it: a fork in between would copy what came, unknown to anybody.
  ssize_t count;
  for (;;) {
    millrace_fd_lock();
    count = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (count >= 0) break;
    millrace_fd_unlock();
    if (errno == EAGAIN && wait) {
      struct pollfd ready = {fd, POLLIN, 0};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return errno == ECONNRESET ? 0 : -errno;  // the peer closed with messages of ours unread
    }
  }

  int error = (message.msg_flags & MSG_TRUNC) ? EMSGSIZE : 0;
  *lost = (message.msg_flags & MSG_CTRUNC) != 0;  // descriptors came for which there was no number left
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t received = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < received; i++) {
      int one;
      memcpy(&one, CMSG_DATA(header) + i * sizeof(int), sizeof one);
      one = millrace_fd_own(one);
      if (one < 0) *lost = 1;
      else fds[(*fd_count)++] = one;
    }
  }
  millrace_fd_unlock();
  if (error == 0 && !*lost) return count;
  while (*fd_count > 0) millrace_fd_close(fds[--*fd_count]);
  return error == 0 ? count : -error;
}
#endif
