/* SPDX-License-Identifier: Apache-2.0 */
#include "store/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { IN_MEMORY = 64 * 1024, PIECE = 64 * 1024, ALL_LIMIT = 128 * 1024 * 1024 };

struct bytes {
    unsigned holders;
    uint64_t size;
    uint8_t *memory; /* IN_MEMORY of them at most, while fd is -1 */
    size_t room;
    int fd;
};
struct spool {
    struct bytes *bytes;
};

static int release(struct spool *spool)
{
    struct bytes *bytes = spool->bytes;
    if (--bytes->holders)
        return 0;
    if (bytes->fd >= 0)
        close(bytes->fd);
    free(bytes->memory);
    free(bytes);
    return 0;
}

static struct spool *hold(TALLOC_CTX *owner, struct bytes *bytes)
{
    struct spool *spool = talloc(owner, struct spool);
    spool->bytes = bytes;
    bytes->holders++;
    talloc_set_destructor(spool, release);
    return spool;
}

struct spool *spool_new(TALLOC_CTX *owner)
{
    struct bytes *bytes = calloc(1, sizeof *bytes);
    if (!bytes)
        abort();
    bytes->fd = -1;
    return hold(owner, bytes);
}

struct spool *spool_share(TALLOC_CTX *owner, struct spool *spool)
{
    return hold(owner, spool->bytes);
}

uint64_t spool_size(const struct spool *spool)
{
    return spool->bytes->size;
}

static enum ec disk_error(const char *what)
{
    const enum ec ec = errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ecDiskFull : ecError;
    log_line(LOG_ERROR, "store", "cannot %s a temporary file: %s; TMPDIR names the folder, else /var/tmp", what,
             strerror(errno));
    return ec;
}

static int file_without_a_name(void)
{
    const char *folder = getenv("TMPDIR");
    if (!folder || !*folder)
        folder = "/var/tmp";
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    char path[4096];
    if (snprintf(path, sizeof path, "%s/oxcart-XXXXXX", folder) >= (int)sizeof path)
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static enum ec write_all(int fd, uint64_t offset, struct blob from)
{
    for (size_t done = 0; done < from.size;) {
        const ssize_t n = pwrite(fd, from.data + done, from.size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return disk_error("write");
        done += (size_t)n;
    }
    return ecNone;
}

static enum ec move_to_file(struct bytes *bytes)
{
    const int fd = file_without_a_name();
    if (fd < 0)
        return disk_error("make");
    const enum ec ec = write_all(fd, 0, BLOB_OF(bytes->memory, bytes->size));
    if (ec) {
        close(fd);
        return ec;
    }
    free(bytes->memory);
    bytes->memory = NULL;
    bytes->room = 0;
    bytes->fd = fd;
    return ecNone;
}

static void grow_memory(struct bytes *bytes, size_t size)
{
    if (size <= bytes->room)
        return;
    const size_t room = MIN((size_t)IN_MEMORY, MAX(size, MAX(bytes->room * 2, (size_t)1024)));
    bytes->memory = realloc(bytes->memory, room);
    if (!bytes->memory)
        abort();
    bytes->room = room;
}

enum ec spool_resize(struct spool *spool, uint64_t size)
{
    struct bytes *bytes = spool->bytes;
    if (bytes->fd < 0 && size > IN_MEMORY) {
        const enum ec ec = move_to_file(bytes);
        if (ec)
            return ec;
    }
    if (bytes->fd >= 0 && ftruncate(bytes->fd, (off_t)size))
        return disk_error("resize");
    if (bytes->fd < 0) {
        grow_memory(bytes, size);
        if (size > bytes->size)
            memset(bytes->memory + bytes->size, 0, size - bytes->size);
    }
    bytes->size = size;
    return ecNone;
}

enum ec spool_write(struct spool *spool, uint64_t offset, struct blob from)
{
    struct bytes *bytes = spool->bytes;
    const uint64_t end = offset + from.size;
    if (!from.size)
        return ecNone;
    if (end > bytes->size && (bytes->fd < 0 || offset > bytes->size)) {
        const enum ec ec = spool_resize(spool, end);
        if (ec)
            return ec;
    }
    if (bytes->fd >= 0) {
        const enum ec ec = write_all(bytes->fd, offset, from);
        if (ec)
            return ec;
        bytes->size = MAX(bytes->size, end);
        return ecNone;
    }
    memcpy(bytes->memory + offset, from.data, from.size);
    return ecNone;
}

enum ec spool_read(const struct spool *spool, uint64_t offset, void *to, size_t count, size_t *got)
{
    const struct bytes *bytes = spool->bytes;
    *got = 0;
    if (offset >= bytes->size)
        return ecNone;
    count = MIN(count, bytes->size - offset);
    if (bytes->fd < 0) {
        memcpy(to, bytes->memory + offset, count);
        *got = count;
        return ecNone;
    }
    while (*got < count) {
        const ssize_t n = pread(bytes->fd, (uint8_t *)to + *got, count - *got, (off_t)(offset + *got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return disk_error("read");
        *got += (size_t)n;
    }
    return ecNone;
}

enum ec spool_own(TALLOC_CTX *owner, struct spool **spool)
{
    if ((*spool)->bytes->holders == 1)
        return ecNone;
    struct spool *copy = spool_new(owner);
    uint8_t *piece = talloc_array(copy, uint8_t, PIECE);
    enum ec ec = ecNone;
    for (uint64_t at = 0; !ec && at < spool_size(*spool);) {
        size_t got;
        ec = spool_read(*spool, at, piece, PIECE, &got);
        if (!ec)
            ec = spool_write(copy, at, BLOB_OF(piece, got));
        at += got;
    }
    talloc_free(piece);
    talloc_free(ec ? copy : *spool);
    if (!ec)
        *spool = copy;
    return ec;
}

enum ec spool_all(TALLOC_CTX *arena, const struct spool *spool, struct blob *out)
{
    *out = BLOB_OF(NULL, 0);
    if (spool_size(spool) > ALL_LIMIT)
        return ecNotEnoughMemory;
    const size_t size = (size_t)spool_size(spool);
    uint8_t *all = talloc_size(arena, size + 1);
    if (!all)
        return ecNotEnoughMemory;
    size_t got = 0;
    const enum ec ec = spool_read(spool, 0, all, size, &got);
    all[got] = 0;
    *out = BLOB_OF(all, got);
    return ec;
}
