/* SPDX-License-Identifier: Apache-2.0 */
#include "store/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { IN_MEMORY = 64 * 1024, BLOCK = 64 * 1024, PIECE = 64 * 1024, ALL_LIMIT = 128 * 1024 * 1024 };

/* ---- the file ----
 *
 * One file without a name holds the blocks of all spools of this process, so that a client with thousands of streams
 * takes no file from anybody.  It is there while a block of it is in use.  A block that was never written is a hole. */
static struct {
    pthread_mutex_t lock;
    int fd;
    uint32_t made, in_use;                       /* blocks: so many have been given out at once, so many are now */
    uint32_t *free;                              /* numbers of those between */
    size_t free_count, free_room;
} file = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };
#define HOLE 0u                                  /* blocks count from 1 */

static off_t place_of(uint32_t block)
{
    return (off_t)(block - 1) * BLOCK;
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

static enum ec write_at(off_t place, const uint8_t *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t n = pwrite(file.fd, bytes + done, size - done, place + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return disk_error("write");
        done += (size_t)n;
    }
    return ecNone;
}

static enum ec write_zeros(off_t place, size_t size)
{
    static const uint8_t zeros[BLOCK];
    return write_at(place, zeros, size);
}

/* What others had in it is gone: by a hole, or else by zeros. */
static enum ec clean(uint32_t block)
{
    if (fallocate(file.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, place_of(block), BLOCK) == 0)
        return ecNone;
    return write_zeros(place_of(block), BLOCK);
}

static void file_close(void)
{
    close(file.fd);
    free(file.free);
    file.fd = -1;
    file.free = NULL;
    file.made = 0;
    file.free_count = file.free_room = 0;
}

/* A block without content. */
static enum ec take_block(uint32_t *block)
{
    pthread_mutex_lock(&file.lock);
    if (file.fd < 0)
        file.fd = file_without_a_name();
    enum ec ec = file.fd < 0 ? disk_error("make") : ecNone;
    *block = ec ? HOLE : file.free_count ? file.free[--file.free_count] : ++file.made;
    file.in_use += !ec;
    pthread_mutex_unlock(&file.lock);
    return ec;
}

/* The list has room for all blocks, so that giving back cannot fail. */
static void give_back(uint32_t block)
{
    const enum ec ec = clean(block);
    pthread_mutex_lock(&file.lock);
    if (file.free_room < file.made) {
        file.free_room = 2 * (size_t)file.made;
        file.free = realloc(file.free, file.free_room * sizeof *file.free);
        if (!file.free)
            abort();
    }
    if (!ec)                                     /* what could not be cleaned is not used again */
        file.free[file.free_count++] = block;
    if (--file.in_use == 0)
        file_close();
    pthread_mutex_unlock(&file.lock);
}

/* ---- the bytes of a spool ---- */

struct bytes {
    unsigned holders;
    uint64_t size;
    uint8_t *memory; /* IN_MEMORY of them at most, while there are no blocks */
    size_t room;
    bool in_file;
    uint32_t *blocks;
    size_t block_room;
};
struct spool {
    struct bytes *bytes;
};

/* Blocks from `first` on. */
static void give_back_from(struct bytes *bytes, size_t first)
{
    for (size_t i = first; i < bytes->block_room; i++)
        if (bytes->blocks[i] != HOLE) {
            give_back(bytes->blocks[i]);
            bytes->blocks[i] = HOLE;
        }
}

static int release(struct spool *spool)
{
    struct bytes *bytes = spool->bytes;
    if (--bytes->holders)
        return 0;
    give_back_from(bytes, 0);
    free(bytes->blocks);
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

static enum ec block_at(struct bytes *bytes, size_t number, uint32_t *block)
{
    if (number >= bytes->block_room) {
        const size_t room = MAX(number + 1, bytes->block_room * 2);
        bytes->blocks = realloc(bytes->blocks, room * sizeof *bytes->blocks);
        if (!bytes->blocks)
            abort();
        memset(bytes->blocks + bytes->block_room, 0, (room - bytes->block_room) * sizeof *bytes->blocks);
        bytes->block_room = room;
    }
    const enum ec ec = bytes->blocks[number] == HOLE ? take_block(&bytes->blocks[number]) : ecNone;
    *block = bytes->blocks[number];
    return ec;
}

static enum ec write_blocks(struct bytes *bytes, uint64_t offset, struct blob from)
{
    enum ec ec = ecNone;
    for (size_t done = 0, n; done < from.size && !ec; done += n) {
        const size_t within = (size_t)((offset + done) % BLOCK);
        uint32_t block;
        n = MIN(from.size - done, BLOCK - within);
        ec = block_at(bytes, (size_t)((offset + done) / BLOCK), &block);
        if (!ec)
            ec = write_at(place_of(block) + (off_t)within, from.data + done, n);
    }
    return ec;
}

static enum ec read_block(uint32_t block, size_t within, uint8_t *to, size_t count)
{
    for (size_t done = 0; done < count;) {
        const ssize_t n = pread(file.fd, to + done, count - done, place_of(block) + (off_t)(within + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return disk_error("read");
        if (n == 0) {                            /* the file ends before the block does */
            memset(to + done, 0, count - done);
            break;
        }
        done += (size_t)n;
    }
    return ecNone;
}

static enum ec move_to_file(struct bytes *bytes)
{
    const enum ec ec = write_blocks(bytes, 0, BLOB_OF(bytes->memory, bytes->size));
    if (ec) {
        give_back_from(bytes, 0);
        return ec;
    }
    free(bytes->memory);
    bytes->memory = NULL;
    bytes->room = 0;
    bytes->in_file = true;
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

/* What is cut off reads as zeros if the spool grows again. */
static enum ec cut_blocks(struct bytes *bytes, uint64_t size)
{
    const size_t last = (size_t)(size / BLOCK), within = (size_t)(size % BLOCK);
    give_back_from(bytes, last + (within > 0));
    if (!within || last >= bytes->block_room || bytes->blocks[last] == HOLE)
        return ecNone;
    return write_zeros(place_of(bytes->blocks[last]) + (off_t)within, BLOCK - within);
}

enum ec spool_resize(struct spool *spool, uint64_t size)
{
    struct bytes *bytes = spool->bytes;
    enum ec ec = ecNone;
    if (!bytes->in_file && size > IN_MEMORY)
        ec = move_to_file(bytes);
    if (!ec && bytes->in_file && size < bytes->size)
        ec = cut_blocks(bytes, size);
    if (ec)
        return ec;
    if (!bytes->in_file) {
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
    enum ec ec = ecNone;
    if (!from.size)
        return ecNone;
    if (end > bytes->size && !bytes->in_file)
        ec = spool_resize(spool, end);
    if (!ec && bytes->in_file)
        ec = write_blocks(bytes, offset, from);
    else if (!ec)
        memcpy(bytes->memory + offset, from.data, from.size);
    if (!ec)
        bytes->size = MAX(bytes->size, end);
    return ec;
}

enum ec spool_read(const struct spool *spool, uint64_t offset, void *to, size_t count, size_t *got)
{
    const struct bytes *bytes = spool->bytes;
    enum ec ec = ecNone;
    *got = 0;
    if (offset >= bytes->size)
        return ecNone;
    count = MIN(count, bytes->size - offset);
    if (!bytes->in_file)
        memcpy(to, bytes->memory + offset, count);
    for (size_t done = 0, n; bytes->in_file && done < count && !ec; done += n) {
        const size_t number = (size_t)((offset + done) / BLOCK), within = (size_t)((offset + done) % BLOCK);
        n = MIN(count - done, BLOCK - within);
        if (number < bytes->block_room && bytes->blocks[number] != HOLE)
            ec = read_block(bytes->blocks[number], within, (uint8_t *)to + done, n);
        else
            memset((uint8_t *)to + done, 0, n);
    }
    *got = ec ? 0 : count;
    return ec;
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
