// Messages with descriptors between a program and its workers: SOCK_SEQPACKET, SCM_RIGHTS.
#ifndef MILLRACE_SOCKET_H
#define MILLRACE_SOCKET_H

#include <stddef.h>
#include <stdint.h>

/// Most descriptors that one message carries.
#define MILLRACE_MESSAGE_DESCRIPTORS 16

/// Two connected sockets. 0, or errno.
int millrace_socket_pair(int fds[2]);

/// Sends one message. 0, or errno: EAGAIN only if `wait` is 0 and the buffer is full, EPIPE if the peer is gone.
int millrace_socket_send(int fd, const void *bytes, size_t count, const int *fds, size_t fd_count, int wait);

/// Receives one message and its descriptors, which are ours from here on (`fds` has room for MILLRACE_MESSAGE_DESCRIPTORS).
/// Returns its length, 0 if the peer is gone, or -errno: -EAGAIN only if `wait` is 0, -EMSGSIZE if it did not fit.
/// `lost` becomes 1 if this process has no numbers for the descriptors that came: then it has none of them.
long millrace_socket_receive(
    int fd, void *bytes, size_t capacity, int *fds, size_t *fd_count, int wait, int *lost);

/// A pipe; [0] is read, [1] is written. 0, or errno.
int millrace_pipe(int fds[2]);

#endif
