/* A disk that keeps only what was flushed, and fails on demand. For the fault tests, by LD_PRELOAD.
 *
 * Writes to the store in DROPSYNC_DIR go to its files as always, so the process sees them. Only a
 * flush copies what was written since the last one to the file of the same name in DROPSYNC_SHADOW.
 * After a kill, the shadow is what a power cut would have left: everything flushed, nothing else.
 *
 *   DROPSYNC_EIO=journal.db-wal:40     the 40th flush of that file fails with EIO; as on Linux, what
 *                                      was to be flushed counts as clean afterwards and is never written
 *   DROPSYNC_ENOSPC=1000000            writes fail with ENOSPC once this many bytes were written
 *
 * Not covered: memory maps (only the -shm file, which is rebuilt), renames, removed files.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FD 1024
#define MAX_FILES 8

struct file {
    char name[64];
    off_t low, high; /* written since the last flush: [low, high) */
    long flushes;
};

static struct file files[MAX_FILES];
static struct file *by_fd[MAX_FD];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long long written;

static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static const char *dir, *shadow, *eio, *enospc;

__attribute__((constructor)) static void start(void)
{
    real_open = dlsym(RTLD_NEXT, "open");
    real_openat = dlsym(RTLD_NEXT, "openat");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    dir = getenv("DROPSYNC_DIR");
    shadow = getenv("DROPSYNC_SHADOW");
    eio = getenv("DROPSYNC_EIO");
    enospc = getenv("DROPSYNC_ENOSPC");
}

/* Remembers that fd is a file of the store. */
static int track(int fd, const char *path)
{
    size_t length;
    const char *name;
    if (fd < 0 || fd >= MAX_FD || !dir || !shadow)
        return fd;
    length = strlen(dir);
    if (strncmp(path, dir, length) != 0 || path[length] != '/')
        return fd;
    name = path + length + 1;
    if (strcmp(name, "journal.db") != 0 && strcmp(name, "journal.db-wal") != 0)
        return fd;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MAX_FILES; i++) {
        if (!files[i].name[0])
            snprintf(files[i].name, sizeof files[i].name, "%s", name);
        if (strcmp(files[i].name, name) == 0) {
            by_fd[fd] = &files[i];
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list args; \
        va_start(args, flags); \
        mode = va_arg(args, mode_t); \
        va_end(args); \
    }

int open(const char *path, int flags, ...) { MODE(flags) return track(real_open(path, flags, mode), path); }
int open64(const char *path, int flags, ...) { MODE(flags) return track(real_open(path, flags, mode), path); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return track(real_openat(at, path, flags, mode), path); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return track(real_openat(at, path, flags, mode), path); }

int close(int fd)
{
    if (fd >= 0 && fd < MAX_FD)
        by_fd[fd] = NULL;
    return real_close(fd);
}

static struct file *of(int fd) { return fd >= 0 && fd < MAX_FD ? by_fd[fd] : NULL; }

static void dirty(struct file *file, off_t low, off_t high)
{
    if (file->low == file->high) {
        file->low = low;
        file->high = high;
    } else {
        if (low < file->low)
            file->low = low;
        if (high > file->high)
            file->high = high;
    }
}

static int is_full(size_t count)
{
    if (!enospc)
        return 0;
    written += count;
    return written > atoll(enospc);
}

static ssize_t put(int fd, const void *bytes, size_t count, off_t offset)
{
    struct file *file = of(fd);
    ssize_t done;
    if (!file)
        return real_pwrite(fd, bytes, count, offset);
    pthread_mutex_lock(&lock);
    if (is_full(count)) {
        errno = ENOSPC;
        done = -1;
    } else {
        done = real_pwrite(fd, bytes, count, offset);
        if (done > 0)
            dirty(file, offset, offset + done);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return put(fd, bytes, count, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) { return put(fd, bytes, count, offset); }

ssize_t write(int fd, const void *bytes, size_t count)
{
    if (!of(fd))
        return real_write(fd, bytes, count);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t done = put(fd, bytes, count, offset);
    if (done > 0)
        lseek(fd, offset + done, SEEK_SET);
    return done;
}

int ftruncate(int fd, off_t size) { return real_ftruncate(fd, size); }
int ftruncate64(int fd, off_t size) { return real_ftruncate(fd, size); }

/* Copies what is dirty to the shadow and gives it the file's size. */
static int flush(int fd, struct file *file)
{
    char to[4096], buffer[65536];
    struct stat status;
    int target;
    snprintf(to, sizeof to, "%s/%s", shadow, file->name);
    target = real_open(to, O_WRONLY | O_CREAT, 0600);
    if (target < 0 || fstat(fd, &status) != 0)
        return -1;
    while (file->low < file->high && file->low < status.st_size) {
        size_t want = file->high - file->low;
        ssize_t got;
        if (want > sizeof buffer)
            want = sizeof buffer;
        got = pread(fd, buffer, want, file->low);
        if (got <= 0)
            break;
        if (real_pwrite(target, buffer, got, file->low) != got)
            return -1;
        file->low += got;
    }
    file->low = file->high = 0;
    if (real_ftruncate(target, status.st_size) != 0)
        return -1;
    real_close(target);
    return 0;
}

static int sync_or_fail(int fd)
{
    struct file *file = of(fd);
    int result = 0;
    if (!file)
        return 0;
    pthread_mutex_lock(&lock);
    file->flushes++;
    size_t length = strlen(file->name);
    if (eio && strncmp(eio, file->name, length) == 0 && eio[length] == ':' &&
        atol(eio + length + 1) == file->flushes) {
        file->low = file->high = 0;
        errno = EIO;
        result = -1;
    } else {
        result = flush(fd, file);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int fd) { return sync_or_fail(fd); }
int fdatasync(int fd) { return sync_or_fail(fd); }
