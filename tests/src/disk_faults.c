/* A file layer that fails on command, to be preloaded into a program: writes, syncs and truncations of the files whose path
 * contains DISK_FAULTS_FILE. How it fails stands in the shared file DISK_FAULTS_CONTROL, which a test changes while the program
 * runs: see disk_faults.rs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, TRUNCATE = 4 };

/* The calls are counted from 1. Those with a number in [from, until) fail with `error`. */
struct control {
    _Atomic uint64_t calls, from, until, kinds, error, failed;
};

static struct control *control;
static const char *wanted;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("DISK_FAULTS_CONTROL");
    wanted = getenv("DISK_FAULTS_FILE");
    if (!path || !wanted) return;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED) control = mapped;
}

/* Whether this call fails; errno is set then. */
static int fails(int fd, uint64_t kind) {
    char link[64], path[4096];
    if (!control || !(control->kinds & kind)) return 0;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length < 0) return 0;
    path[length] = 0;
    size_t end = strlen(wanted);
    if (end && wanted[end - 1] == '$') {
        size_t size = end - 1;
        if ((size_t)length < size || strncmp(path + length - size, wanted, size)) return 0;
    } else if (!strstr(path, wanted)) return 0;
    /* What lies beside a database, and is written once in a while, counts only where it is meant. */
    if (strstr(path, "-head") && !strstr(wanted, "-head")) return 0;
    uint64_t call = ++control->calls;
    if (call < control->from || call >= control->until) return 0;
    control->failed++;
    errno = (int)control->error;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t size) { return fails(fd, WRITE) ? -1 : REAL(write)(fd, bytes, size); }
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    return fails(fd, WRITE) ? -1 : REAL(pwrite)(fd, bytes, size, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    return fails(fd, WRITE) ? -1 : REAL(pwrite64)(fd, bytes, size, at);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    return fails(fd, WRITE) ? -1 : REAL(pwritev)(fd, parts, count, at);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
    return fails(fd, WRITE) ? -1 : REAL(pwritev64)(fd, parts, count, at);
}
int posix_fallocate(int fd, off_t at, off_t size) { return fails(fd, WRITE) ? errno : REAL(posix_fallocate)(fd, at, size); }
int posix_fallocate64(int fd, off64_t at, off64_t size) {
    return fails(fd, WRITE) ? errno : REAL(posix_fallocate64)(fd, at, size);
}
int fsync(int fd) { return fails(fd, SYNC) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fails(fd, SYNC) ? -1 : REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t size) { return fails(fd, TRUNCATE) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return fails(fd, TRUNCATE) ? -1 : REAL(ftruncate64)(fd, size); }
