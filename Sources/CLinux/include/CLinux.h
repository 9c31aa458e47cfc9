// Linux and GNU calls that the Swift importer does not see: `_GNU_SOURCE` does not reach it, and neither do
// macros, unions and variadic functions. Only what one line of Swift cannot say stands here.
//
// Every call that can fail returns a negative errno value, so that no caller reads `errno` after something
// else had the chance to change it.
#ifndef TIDINGS_CLINUX_H
#define TIDINGS_CLINUX_H

#include <stdint.h>

// Named, not included: the types stay Glibc's in Swift, and importing this module is not needed to use them.
struct sockaddr;
struct iovec;

// Polling ---------------------------------------------------------------------------------------------

/// The most events one wait returns.
enum { TIDINGS_POLL_EVENTS = 512 };

/// Asks for edges instead of levels.
extern const uint32_t tidings_poll_edge;

int tidings_poll_create(void);
int tidings_poll_add(int poller, int descriptor, uint32_t events, uint64_t token);
int tidings_poll_change(int poller, int descriptor, uint32_t events, uint64_t token);
int tidings_poll_remove(int poller, int descriptor);
/// Fills at most `TIDINGS_POLL_EVENTS` pairs, `epoll_event` without its union and its packing; a negative
/// timeout waits for ever.
int tidings_poll_wait(int poller, uint64_t *tokens, uint32_t *events, int timeout_milliseconds);

// Waking ----------------------------------------------------------------------------------------------

int tidings_event_create(void);
int tidings_event_signal(int descriptor);
int tidings_event_clear(int descriptor);

// Sockets ---------------------------------------------------------------------------------------------

/// `SOCK_STREAM` as `addrinfo` wants it.
extern const int tidings_stream_type;
/// A TCP socket, non-blocking and closed on exec.
int tidings_stream_socket(int family);
/// Accepts a connection, non-blocking and closed on exec.
int tidings_accept(int listener, struct sockaddr *peer, uint32_t *length);
/// A UDP socket, non-blocking and closed on exec.
int tidings_datagram_socket(int family);
/// One datagram and whom it came from; what is longer than `count` is cut.
long tidings_receive_from(int descriptor, void *bytes, unsigned long count, struct sockaddr *peer, uint32_t *length);
long tidings_send_to(int descriptor, const void *bytes, unsigned long count, const struct sockaddr *peer, uint32_t length);
/// Reads and writes that never raise SIGPIPE.
long tidings_receive(int descriptor, void *bytes, unsigned long count);
long tidings_send(int descriptor, const void *bytes, unsigned long count);
long tidings_send_parts(int descriptor, const struct iovec *parts, int count);

// Signals ---------------------------------------------------------------------------------------------

/// Blocks the given signals in the calling thread and in those it starts from then on.
int tidings_signals_block(const int *signals, int count);
/// A descriptor to read blocked signals from.
int tidings_signals_open(const int *signals, int count);
/// The next waiting signal's number.
int tidings_signals_next(int descriptor);
void tidings_ignore_broken_pipe(void);

// Threads and processors ------------------------------------------------------------------------------

/// Names the calling thread; at most 15 bytes are kept.
int tidings_name_thread(const char *name);
/// Processors the calling thread may run on.
int tidings_allowed_processors(void);
/// Keeps the calling thread on the processor that is `index`-th among those it may run on.
int tidings_pin_thread(int index);

// Memory ----------------------------------------------------------------------------------------------

/// Bytes handed out by the allocator and not yet given back.
uint64_t tidings_allocated_bytes(void);

#endif
