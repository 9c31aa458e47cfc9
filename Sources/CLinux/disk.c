#include "CLinuxDisk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static int fill_with_zeroes(int fd, int64_t start, int64_t end) {
  static const char zeroes[65536];
  while (start < end) {
    int64_t left = end - start;
    ssize_t written = pwrite(fd, zeroes, left < (int64_t)sizeof zeroes ? (size_t)left : sizeof zeroes, start);
    if (written < 0) {
      if (errno == EINTR) continue;
      return -errno;
    }
    start += written;
  }
  return 0;
}

int tidings_disk_holds_files(const char *path) {
  struct statfs found;
  if (statfs(path, &found) != 0 || found.f_blocks > 0) return 1;
  /* These hold files and may have no blocks to tell of. */
  return found.f_type == TMPFS_MAGIC || found.f_type == RAMFS_MAGIC || found.f_type == FUSE_SUPER_MAGIC;
}

int tidings_disk_allocate(int fd, int64_t start, int64_t end) {
  if (end <= start) return 0;
  for (;;) {
    if (fallocate(fd, 0, start, end - start) == 0) return 0;
    if (errno == EINTR) continue;
    /* A file system that cannot set space aside: written zeroes are the next best thing. */
    if (errno == EOPNOTSUPP || errno == ENOSYS) return fill_with_zeroes(fd, start, end);
    return -errno;
  }
}

int tidings_disk_open(int directory, const char *name, int flags, int mode) {
  for (;;) {
    int fd = openat(directory, name, flags | O_CLOEXEC, mode);
    if (fd >= 0) return fd;
    if (errno != EINTR) return -errno;
  }
}

int tidings_disk_list(int directory, void *context, void (*each)(void *, const char *, int64_t)) {
  /* A descriptor of its own: the stream closes it and moves its position. */
  int fd = tidings_disk_open(directory, ".", O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0) return fd;
  DIR *stream = fdopendir(fd);
  if (!stream) {
    int error = errno;
    close(fd);
    return -error;
  }
  for (;;) {
    errno = 0;
    struct dirent *entry = readdir(stream);
    if (!entry) {
      int error = errno;
      closedir(stream);
      return -error;
    }
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    struct stat status;
    if (fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0) continue;
    each(context, entry->d_name, S_ISREG(status.st_mode) ? (int64_t)status.st_size : -1);
  }
}

int tidings_disk_bell_create(void) {
  int bell = eventfd(0, EFD_CLOEXEC);
  return bell < 0 ? -errno : bell;
}

int tidings_disk_bell_ring(int bell) {
  uint64_t one = 1;
  while (write(bell, &one, sizeof one) < 0) {
    if (errno != EINTR) return -errno;
  }
  return 0;
}

int tidings_disk_bell_wait(int bell, int milliseconds) {
  struct pollfd rung = {.fd = bell, .events = POLLIN};
  /* An interrupted wait begins anew: a signal may make it longer, which no caller minds. */
  while (milliseconds >= 0) {
    int ready = poll(&rung, 1, milliseconds);
    if (ready == 0) return -ETIMEDOUT;
    if (ready > 0) break;
    if (errno != EINTR) return -errno;
  }
  uint64_t rings;
  while (read(bell, &rings, sizeof rings) < 0) {
    if (errno != EINTR) return -errno;
  }
  return 0;
}

void tidings_disk_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

void tidings_disk_start_writing(int fd) {
  // Where it cannot be done the sync that follows does all of the work. Errors of the write stay with the file and
  // are the sync's to tell.
  (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}
