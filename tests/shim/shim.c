/* Sees each call with which a process changes files below LT_SHIM_ROOT, and keeps a trace of them from which a test
 * rebuilds the folder as a power cut would have left it. It can also make the k-th call fail.
 *
 *   LT_SHIM_ROOT   absolute path of the folder that is watched; empty, or all that is in it is in the trace
 *   LT_SHIM_TRACE  file that the trace is appended to, outside of that folder
 *   LT_SHIM_FAIL   CLASS:K:ERRNO:HOW with the class `write`, `sync` or `name`: the k-th call fails `once`, from it
 *                  `on`, or the process is killed before it (`kill`)
 *
 * Standard output is in the trace too: what is written there is what the process acknowledges.
 *
 * Only fsync and fdatasync count as durable. sync_file_range does not: it writes no metadata and empties no cache of
 * the disk, so it is not even looked at. The trace does not see raw system calls, mapped files and copies inside the
 * kernel; the test compares the whole trace with the real files in the end, and is red when something was missed.
 *
 * One lock around call and entry makes the order in the trace the order on the disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Entries: kind, inode, offset or length, length of what follows. All integers are little-endian. */
enum kind { CREATE = 1, FOLDER, WRITE, ZEROS, LENGTH, SYNC, SYNC_FAILED, SYNC_FOLDER, RENAME, REMOVE, ACKNOWLEDGE };
struct __attribute__((packed)) entry { uint8_t kind; uint64_t inode, at; uint32_t len; };

enum class { CLASS_WRITE, CLASS_SYNC, CLASS_NAME, CLASSES };

/* Far more than any store here has open or kept files. */
#define WATCHED_LIMIT 65536

#define SECTOR 512

static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static dev_t device;
static int trace = -1;
static uint64_t watched[WATCHED_LIMIT];
static size_t watched_len;
static struct { int class, number, error, on, kill, armed; } fail = { -1, 0, 0, 0, 0, 0 };
static int calls[CLASSES];

#define REAL(type, name, ...) \
    static type (*real_##name)(__VA_ARGS__); \
    if (!real_##name) real_##name = dlsym(RTLD_NEXT, #name)

static void die(const char *why) {
    dprintf(2, "shim: %s\n", why);
    _exit(99);
}

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("LT_SHIM_ROOT"), *file = getenv("LT_SHIM_TRACE"), *how = getenv("LT_SHIM_FAIL");
    struct stat st;
    if (!folder || !file) return;
    if (!realpath(folder, root) || stat(root, &st)) die("LT_SHIM_ROOT is no folder");
    device = st.st_dev;
    trace = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (trace < 0) die("LT_SHIM_TRACE cannot be opened");
    if (how) {
        static const char *names[CLASSES] = { "write", "sync", "name" };
        char class[8], way[8];
        if (sscanf(how, "%7[a-z]:%d:%d:%7[a-z]", class, &fail.number, &fail.error, way) != 4) die("LT_SHIM_FAIL");
        for (int i = 0; i < CLASSES; i++) if (!strcmp(class, names[i])) fail.class = i;
        if (fail.class < 0) die("LT_SHIM_FAIL names no class");
        fail.on = !strcmp(way, "on");
        fail.kill = !strcmp(way, "kill");
    }
}

/* The whole of an entry, past whatever interposes write. */
static void put(const void *bytes, size_t len) {
    const char *from = bytes;
    while (len > 0) {
        ssize_t n = syscall(SYS_write, trace, from, len);
        if (n <= 0) die("the trace cannot be written");
        from += n;
        len -= n;
    }
}

static void note(enum kind kind, uint64_t inode, uint64_t at, const void *bytes, size_t len) {
    int saved = errno;
    struct entry entry = { kind, inode, at, (uint32_t)len };
    put(&entry, sizeof entry);
    if (bytes) put(bytes, len);
    errno = saved;
}

static void note_write(uint64_t inode, uint64_t at, const char *bytes, size_t len) {
    size_t i = 0;
    while (i < len && bytes[i] == 0) i++;
    if (i == len) note(ZEROS, inode, at, NULL, len);
    else note(WRITE, inode, at, bytes, len);
}

/* The absolute path of a name, when it is below the root. */
static int below(int folder, const char *name, char *out) {
    if (trace < 0 || !name) return 0;
    if (name[0] == '/') {
        if (strlen(name) >= PATH_MAX) return 0;
        strcpy(out, name);
    } else {
        char link[64], base[PATH_MAX];
        snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
        ssize_t n = readlink(link, base, sizeof base - 1);
        if (n < 0) return 0;
        base[n] = 0;
        if (snprintf(out, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return 0;
    }
    size_t len = strlen(root);
    return !strncmp(out, root, len) && (out[len] == '/' || out[len] == 0);
}

static const char *inside(const char *path) {
    const char *name = path + strlen(root);
    while (*name == '/') name++;
    return name;
}

static int is_watched(uint64_t inode) {
    for (size_t i = watched_len; i > 0; i--) if (watched[i - 1] == inode) return 1;
    return 0;
}

static void watch(uint64_t inode) {
    if (is_watched(inode)) return;
    if (watched_len == WATCHED_LIMIT) die("more files than the shim can watch");
    watched[watched_len++] = inode;
}

/* The number of a removed file may be given to a file elsewhere. */
static void unwatch(uint64_t inode) {
    for (size_t i = 0; i < watched_len; i++)
        if (watched[i] == inode) watched[i] = watched[--watched_len];
}

static int watched_file(int fd, struct stat *st) {
    if (trace < 0 || fd == trace) return 0;
    int saved = errno;
    int yes = !fstat(fd, st) && st->st_dev == device && is_watched(st->st_ino);
    errno = saved;
    return yes;
}

/* Whether this call is the one to fail, with errno set. */
static int refused(enum class class) {
    calls[class]++;
    int hit = fail.class == (int)class
        && (calls[class] == fail.number || fail.armed || (fail.on && calls[class] > fail.number));
    if (!hit) return 0;
    if (fail.kill) kill(getpid(), SIGKILL);
    fail.armed = 0;
    errno = fail.error;
    return 1;
}

/* ---- names ---- */

static int opened(int folder, const char *name, int flags, mode_t mode) {
    REAL(int, openat64, int, const char *, int, ...);
    char path[PATH_MAX];
    struct stat st;
    if (!below(folder, name, path)) return real_openat64(folder, name, flags, mode);
    pthread_mutex_lock(&one);
    int there = !lstat(path, &st);
    int fd = -1;
    if (there || !(flags & O_CREAT) || !refused(CLASS_NAME)) fd = real_openat64(folder, name, flags, mode);
    int saved = errno;
    if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode)) {
        if (!there) note(CREATE, st.st_ino, 0, inside(path), strlen(inside(path)));
        else if (flags & O_TRUNC) note(LENGTH, st.st_ino, 0, NULL, 0);
        watch(st.st_ino);
    }
    errno = saved;
    pthread_mutex_unlock(&one);
    return fd;
}

#define OPEN_MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); }

int open(const char *name, int flags, ...) { OPEN_MODE(flags) return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { OPEN_MODE(flags) return opened(AT_FDCWD, name, flags, mode); }
int openat(int f, const char *name, int flags, ...) { OPEN_MODE(flags) return opened(f, name, flags, mode); }
int openat64(int f, const char *name, int flags, ...) { OPEN_MODE(flags) return opened(f, name, flags, mode); }
int creat(const char *name, mode_t mode) { return opened(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int mkdirat(int folder, const char *name, mode_t mode) {
    REAL(int, mkdirat, int, const char *, mode_t);
    char path[PATH_MAX];
    if (!below(folder, name, path)) return real_mkdirat(folder, name, mode);
    pthread_mutex_lock(&one);
    int result = refused(CLASS_NAME) ? -1 : real_mkdirat(folder, name, mode);
    if (!result) note(FOLDER, 0, 0, inside(path), strlen(inside(path)));
    pthread_mutex_unlock(&one);
    return result;
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    REAL(int, renameat, int, const char *, int, const char *);
    char a[PATH_MAX], b[PATH_MAX], both[2 * PATH_MAX];
    if (!below(from_folder, from, a) || !below(to_folder, to, b)) return real_renameat(from_folder, from, to_folder, to);
    pthread_mutex_lock(&one);
    int result = refused(CLASS_NAME) ? -1 : real_renameat(from_folder, from, to_folder, to);
    if (!result) {
        int len = snprintf(both, sizeof both, "%s%c%s", inside(a), 0, inside(b));
        note(RENAME, 0, 0, both, len);
    }
    pthread_mutex_unlock(&one);
    return result;
}
int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

int unlinkat(int folder, const char *name, int flags) {
    REAL(int, unlinkat, int, const char *, int);
    char path[PATH_MAX];
    struct stat st;
    if (!below(folder, name, path)) return real_unlinkat(folder, name, flags);
    pthread_mutex_lock(&one);
    int known = !lstat(path, &st);
    int result = refused(CLASS_NAME) ? -1 : real_unlinkat(folder, name, flags);
    if (!result) {
        note(REMOVE, 0, 0, inside(path), strlen(inside(path)));
        if (known) unwatch(st.st_ino);
    }
    pthread_mutex_unlock(&one);
    return result;
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

/* ---- content ---- */

static ssize_t real_write_at(int fd, const void *bytes, size_t len, off_t at) {
    return syscall(SYS_pwrite64, fd, bytes, len, at);
}

/* Half of the call that is to fail is written, and the rest refused when the caller comes back with it. No system
 * stops within a sector. */
static ssize_t written(int fd, const struct stat *st, const char *bytes, size_t len, off_t at) {
    if (refused(CLASS_WRITE)) {
        off_t half = (at + (off_t)len / 2) / SECTOR * SECTOR;
        if (calls[CLASS_WRITE] != fail.number || half <= at) return -1;
        len = half - at;
        fail.armed = 1;
    }
    ssize_t n = real_write_at(fd, bytes, len, at);
    if (n > 0) note_write(st->st_ino, at, bytes, n);
    return n;
}

static ssize_t write_at(int fd, const void *bytes, size_t len, off_t at) {
    struct stat st;
    pthread_mutex_lock(&one);
    ssize_t n = watched_file(fd, &st) ? written(fd, &st, bytes, len, at) : real_write_at(fd, bytes, len, at);
    pthread_mutex_unlock(&one);
    return n;
}
ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) { return write_at(fd, bytes, len, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at) { return write_at(fd, bytes, len, at); }

ssize_t write(int fd, const void *bytes, size_t len) {
    struct stat st;
    pthread_mutex_lock(&one);
    ssize_t n;
    if (watched_file(fd, &st)) {
        off_t at = fcntl(fd, F_GETFL) & O_APPEND ? st.st_size : lseek(fd, 0, SEEK_CUR);
        n = written(fd, &st, bytes, len, at);
        if (n > 0) lseek(fd, at + n, SEEK_SET);
    } else {
        /* In the trace before anybody can read it. */
        if (fd == 1 && trace >= 0) note(ACKNOWLEDGE, 0, 0, bytes, len);
        n = syscall(SYS_write, fd, bytes, len);
    }
    pthread_mutex_unlock(&one);
    return n;
}

static ssize_t pieces_at(int fd, const struct iovec *pieces, int count, off_t at, int *taken) {
    struct stat st;
    *taken = watched_file(fd, &st);
    if (!*taken) return 0;
    size_t len = 0, done = 0;
    for (int i = 0; i < count; i++) len += pieces[i].iov_len;
    char *bytes = malloc(len ? len : 1);
    if (!bytes) die("no memory");
    for (int i = 0; i < count; i++) {
        memcpy(bytes + done, pieces[i].iov_base, pieces[i].iov_len);
        done += pieces[i].iov_len;
    }
    pthread_mutex_lock(&one);
    ssize_t n = written(fd, &st, bytes, len, at);
    pthread_mutex_unlock(&one);
    free(bytes);
    return n;
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t at) {
    REAL(ssize_t, pwritev, int, const struct iovec *, int, off_t);
    int taken;
    ssize_t n = pieces_at(fd, pieces, count, at, &taken);
    return taken ? n : real_pwritev(fd, pieces, count, at);
}
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off_t at) { return pwritev(fd, pieces, count, at); }
ssize_t pwritev2(int fd, const struct iovec *pieces, int count, off_t at, int flags) {
    REAL(ssize_t, pwritev2, int, const struct iovec *, int, off_t, int);
    int taken;
    ssize_t n = pieces_at(fd, pieces, count, at, &taken);
    return taken ? n : real_pwritev2(fd, pieces, count, at, flags);
}
ssize_t writev(int fd, const struct iovec *pieces, int count) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    int taken;
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t n = pieces_at(fd, pieces, count, at, &taken);
    if (taken && n > 0) lseek(fd, at + n, SEEK_SET);
    return taken ? n : real_writev(fd, pieces, count);
}

int ftruncate64(int fd, off_t len) {
    REAL(int, ftruncate64, int, off_t);
    struct stat st;
    pthread_mutex_lock(&one);
    int seen = watched_file(fd, &st);
    int result = seen && refused(CLASS_WRITE) ? -1 : real_ftruncate64(fd, len);
    if (seen && !result) note(LENGTH, st.st_ino, len, NULL, 0);
    pthread_mutex_unlock(&one);
    return result;
}
int ftruncate(int fd, off_t len) { return ftruncate64(fd, len); }

/* ---- durability ---- */

/* The watched folder behind a descriptor, as a path from the root. */
static int watched_folder(int fd, char *path) {
    char link[64];
    struct stat st;
    if (trace < 0 || fstat(fd, &st) || !S_ISDIR(st.st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return !strncmp(path, root, strlen(root));
}

static int synced(int fd, long call) {
    struct stat st;
    char path[PATH_MAX];
    pthread_mutex_lock(&one);
    int file = watched_file(fd, &st);
    int folder = !file && watched_folder(fd, path);
    int result;
    if ((file || folder) && refused(CLASS_SYNC)) {
        /* The system forgets what it could not write: a later sync that succeeds does not bring it back. */
        if (file) note(SYNC_FAILED, st.st_ino, 0, NULL, 0);
        result = -1;
    } else {
        /* The real sync is not needed: nothing here outlives the power of this machine. */
        result = file || folder ? 0 : syscall(call, fd);
        if (file) note(SYNC, st.st_ino, 0, NULL, 0);
        if (folder) note(SYNC_FOLDER, 0, 0, inside(path), strlen(inside(path)));
    }
    pthread_mutex_unlock(&one);
    return result;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }
