// Preloaded into the program, writes down in which order it writes to its SQLite database and forces it onto the disk.
//
// RECORDED_DATABASE is the absolute path of the database, RECORD that of the file to append to. Each record is a header
// of four numbers and the bytes written; how they are read stands in mod.rs. A write is noted before it happens, a sync
// after it has: what is noted as safe is safe.
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum operation { WRITE = 1, TRUNCATE = 2, SYNC = 3, UNLINK = 4 };
enum file { OTHER = 0, DATABASE = 1, WAL = 2, JOURNAL = 3, FOLDER = 4 };

struct header {
    uint64_t operation, file, at, length;
};

static int record = -1;
static char database[PATH_MAX];

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("RECORD"), *recorded = getenv("RECORDED_DATABASE");
    if (!path || !recorded || strlen(recorded) >= sizeof database) return;
    strcpy(database, recorded);
    record = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

static enum file file_at(const char *path) {
    size_t length = strlen(database);
    if (strncmp(path, database, length) == 0) {
        const char *rest = path + length;
        if (*rest == 0) return DATABASE;
        if (strcmp(rest, "-wal") == 0) return WAL;
        if (strcmp(rest, "-journal") == 0) return JOURNAL;
        return OTHER;
    }
    const char *slash = strrchr(database, '/');
    if (slash && strlen(path) == (size_t)(slash - database) && strncmp(path, database, strlen(path)) == 0) return FOLDER;
    return OTHER;
}

static enum file file_of(int fd) {
    if (record < 0) return OTHER;
    char link[32] = "/proc/self/fd/", digits[12], path[PATH_MAX];
    int n = 0, rest = fd;
    do digits[n++] = (char)('0' + rest % 10); while ((rest /= 10) > 0);
    char *end = link + strlen(link);
    while (n > 0) *end++ = digits[--n];
    *end = 0;
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return OTHER;
    path[length] = 0;
    return file_at(path);
}

static void note(enum operation operation, enum file file, uint64_t at, const void *bytes, uint64_t length) {
    struct header header = {operation, file, at, length};
    struct iovec parts[2] = {{&header, sizeof header}, {(void *)bytes, length}};
    // One append: two processes may write to the record.
    if (syscall(SYS_writev, record, parts, length > 0 ? 2 : 1) != (ssize_t)(sizeof header + length)) abort();
}

ssize_t write(int fd, const void *bytes, size_t length) {
    enum file file = file_of(fd);
    if (file != OTHER) note(WRITE, file, (uint64_t)lseek(fd, 0, SEEK_CUR), bytes, length);
    return syscall(SYS_write, fd, bytes, length);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    enum file file = file_of(fd);
    if (file != OTHER) note(WRITE, file, (uint64_t)at, bytes, length);
    return syscall(SYS_pwrite64, fd, bytes, length, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return pwrite64(fd, bytes, length, at); }

int ftruncate64(int fd, off64_t length) {
    enum file file = file_of(fd);
    if (file != OTHER) note(TRUNCATE, file, (uint64_t)length, 0, 0);
    return (int)syscall(SYS_ftruncate, fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int synced(int fd, long call) {
    enum file file = file_of(fd);
    struct stat before;
    // Only what was noted before it began is safe after it.
    if (file != OTHER && fstat(record, &before) != 0) abort();
    int result = (int)syscall(call, fd);
    if (file != OTHER && result == 0) note(SYNC, file, (uint64_t)before.st_size, 0, 0);
    return result;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }

int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int unlink(const char *path) {
    enum file file = record < 0 ? OTHER : file_at(path);
    if (file != OTHER) note(UNLINK, file, 0, 0, 0);
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
