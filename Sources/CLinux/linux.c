#include "CLinux.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define OR_ERRNO(call)              \
  ({                                \
    __auto_type result_ = (call);   \
    result_ < 0 ? -errno : result_; \
  })

// Polling

// `Readiness` and `Interest` in Swift spell these bits out.
_Static_assert(EPOLLIN == 1 && EPOLLOUT == 4 && EPOLLERR == 8 && EPOLLHUP == 0x10 && EPOLLRDHUP == 0x2000, "");

const uint32_t tidings_poll_edge = EPOLLET;

int tidings_poll_create(void) { return OR_ERRNO(epoll_create1(EPOLL_CLOEXEC)); }

static int poll_control(int poller, int operation, int descriptor, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data.u64 = token};
  return OR_ERRNO(epoll_ctl(poller, operation, descriptor, &event));
}

int tidings_poll_add(int poller, int descriptor, uint32_t events, uint64_t token) {
  return poll_control(poller, EPOLL_CTL_ADD, descriptor, events, token);
}

int tidings_poll_change(int poller, int descriptor, uint32_t events, uint64_t token) {
  return poll_control(poller, EPOLL_CTL_MOD, descriptor, events, token);
}

int tidings_poll_remove(int poller, int descriptor) {
  return poll_control(poller, EPOLL_CTL_DEL, descriptor, 0, 0);
}

int tidings_poll_wait(int poller, uint64_t *tokens, uint32_t *events, int timeout_milliseconds) {
  struct epoll_event raw[TIDINGS_POLL_EVENTS];
  int count = epoll_wait(poller, raw, TIDINGS_POLL_EVENTS, timeout_milliseconds);
  if (count < 0) return -errno;
  for (int i = 0; i < count; i++) {
    tokens[i] = raw[i].data.u64;
    events[i] = raw[i].events;
  }
  return count;
}

// Waking

int tidings_event_create(void) { return OR_ERRNO(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }
int tidings_event_signal(int descriptor) { return OR_ERRNO(eventfd_write(descriptor, 1)); }

int tidings_event_clear(int descriptor) {
  eventfd_t count;
  return OR_ERRNO(eventfd_read(descriptor, &count));
}

// Sockets

const int tidings_stream_type = SOCK_STREAM;

int tidings_stream_socket(int family) {
  return OR_ERRNO(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int tidings_datagram_socket(int family) {
  return OR_ERRNO(socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

long tidings_receive_from(int descriptor, void *bytes, unsigned long count, struct sockaddr *peer, uint32_t *length) {
  return OR_ERRNO(recvfrom(descriptor, bytes, count, 0, peer, length));
}

long tidings_send_to(int descriptor, const void *bytes, unsigned long count, const struct sockaddr *peer, uint32_t length) {
  return OR_ERRNO(sendto(descriptor, bytes, count, MSG_NOSIGNAL, peer, length));
}

int tidings_accept(int listener, struct sockaddr *peer, uint32_t *length) {
  return OR_ERRNO(accept4(listener, peer, length, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

long tidings_receive(int descriptor, void *bytes, unsigned long count) {
  return OR_ERRNO(recv(descriptor, bytes, count, 0));
}

long tidings_send(int descriptor, const void *bytes, unsigned long count) {
  return OR_ERRNO(send(descriptor, bytes, count, MSG_NOSIGNAL));
}

// `sendmsg` rather than `writev`, which has no MSG_NOSIGNAL.
long tidings_send_parts(int descriptor, const struct iovec *parts, int count) {
  struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = count};
  return OR_ERRNO(sendmsg(descriptor, &message, MSG_NOSIGNAL));
}

// Signals

static sigset_t signal_set(const int *signals, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
  return set;
}

int tidings_signals_block(const int *signals, int count) {
  sigset_t set = signal_set(signals, count);
  return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int tidings_signals_open(const int *signals, int count) {
  sigset_t set = signal_set(signals, count);
  return OR_ERRNO(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int tidings_signals_next(int descriptor) {
  struct signalfd_siginfo info;
  long count = read(descriptor, &info, sizeof info);
  if (count < 0) return -errno;
  return count == sizeof info ? (int)info.ssi_signo : -EIO;
}

void tidings_ignore_broken_pipe(void) { signal(SIGPIPE, SIG_IGN); }

// Threads and processors

int tidings_name_thread(const char *name) {
  char kept[16];
  int length = 0;
  while (length < 15 && name[length]) {
    kept[length] = name[length];
    length++;
  }
  kept[length] = 0;
  return -pthread_setname_np(pthread_self(), kept);
}

// The kernel refuses a set smaller than its own, which on large machines is more than CPU_SETSIZE.
enum { LARGEST_PROCESSOR_SET = 16384 };

int tidings_allowed_processors(void) {
  cpu_set_t set[LARGEST_PROCESSOR_SET / 8 / sizeof(cpu_set_t)];
  if (sched_getaffinity(0, sizeof set, set) < 0) return -errno;
  return CPU_COUNT_S(sizeof set, set);
}

int tidings_pin_thread(int index) {
  cpu_set_t set[LARGEST_PROCESSOR_SET / 8 / sizeof(cpu_set_t)];
  if (sched_getaffinity(0, sizeof set, set) < 0) return -errno;
  int seen = 0;
  for (int processor = 0; processor < LARGEST_PROCESSOR_SET; processor++) {
    if (!CPU_ISSET_S(processor, sizeof set, set)) continue;
    if (seen++ != index) continue;
    CPU_ZERO_S(sizeof set, set);
    CPU_SET_S(processor, sizeof set, set);
    return OR_ERRNO(sched_setaffinity(0, sizeof set, set));
  }
  return -EINVAL;
}

// Memory

uint64_t tidings_allocated_bytes(void) {
  struct mallinfo2 info = mallinfo2();
  return (uint64_t)info.uordblks + (uint64_t)info.hblkhd;
}
