#pragma once
#include <stdint.h>

/* Calls that need _GNU_SOURCE, or that Swift cannot make: variadic ones and the directory stream. Each returns 0 (or what it
   says) on success and an errno value, negated, on failure. */

/* Makes the file `end` bytes long from `start` on, space set aside, the new bytes zero. */
int tidings_disk_allocate(int fd, int64_t start, int64_t end);

/* Opens `name` in `directory`; the descriptor. */
int tidings_disk_open(int directory, const char *name, int flags, int mode);

/* Calls back with the name and the size of every regular file of `directory`, and -1 as size for anything else. */
int tidings_disk_list(int directory, void *context, void (*each)(void *context, const char *name, int64_t size));

/* Whether the file system of `path` holds files, and is not one that the kernel makes up, such as /proc. */
int tidings_disk_holds_files(const char *path);

/* A bell to sleep by: a wait returns after at least one ring since the last wait, or with -ETIMEDOUT after
   `milliseconds`; negative ones have no end. */
int tidings_disk_bell_create(void);
int tidings_disk_bell_ring(int bell);
int tidings_disk_bell_wait(int bell, int milliseconds);

/* Names the calling thread, for people who look at it. */
void tidings_disk_name_thread(const char *name);

/* Starts writing a file's changed pages without waiting for them. Says nothing of success: only a sync does. */
void tidings_disk_start_writing(int fd);
