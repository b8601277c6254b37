/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "front/inside.h"

/* Rows of a set are searched one by one; a new entry takes the oldest row of its set. */
enum { SETS = 256, ROWS = 4, DIGEST = 32 };

struct remembered {
    uint8_t digest[DIGEST];
    uint64_t until, generation;
    char *name, *id;
};

struct memory {
    pthread_mutex_t lock;
    uint8_t key[DIGEST];
    unsigned remember_ms;
    struct remembered rows[SETS][ROWS];
};

static int memory_wipe(struct memory *memory)
{
    OPENSSL_cleanse(memory->key, sizeof memory->key);
    return 0;
}

struct memory *memory_new(TALLOC_CTX *owner, unsigned remember_ms)
{
    struct memory *memory = talloc_zero(owner, struct memory);
    pthread_mutex_init(&memory->lock, NULL);
    random_bytes(memory->key, sizeof memory->key);
    memory->remember_ms = remember_ms;
    talloc_set_destructor(memory, memory_wipe);
    return memory;
}

static struct remembered *set_of(struct memory *memory, struct blob credentials, uint8_t digest[DIGEST])
{
    unsigned size = DIGEST;
    HMAC(EVP_sha256(), memory->key, DIGEST, credentials.data, credentials.size, digest, &size);
    return memory->rows[digest[0] % SETS];
}

bool memory_recall(struct memory *memory, uint64_t generation, struct blob credentials, TALLOC_CTX *arena,
                   struct http_user *out)
{
    uint8_t digest[DIGEST];
    struct remembered *set = set_of(memory, credentials, digest);
    const uint64_t now = clock_ms();
    bool found = false;
    pthread_mutex_lock(&memory->lock);
    for (int i = 0; i < ROWS && !found; i++) {
        found =
            set[i].until > now && set[i].generation == generation && CRYPTO_memcmp(set[i].digest, digest, DIGEST) == 0;
        if (found)
            *out = (struct http_user){ talloc_strdup(arena, set[i].name), talloc_strdup(arena, set[i].id) };
    }
    pthread_mutex_unlock(&memory->lock);
    return found;
}

void memory_keep(struct memory *memory, uint64_t generation, struct blob credentials, const struct http_user *user)
{
    uint8_t digest[DIGEST];
    struct remembered *set = set_of(memory, credentials, digest), *row = set;
    pthread_mutex_lock(&memory->lock);
    for (int i = 1; i < ROWS; i++)
        if (set[i].until < row->until)
            row = &set[i];
    talloc_free(row->name);
    talloc_free(row->id);
    memcpy(row->digest, digest, DIGEST);
    row->until = clock_ms() + memory->remember_ms;
    row->generation = generation;
    row->name = talloc_strdup(memory, user->name);
    row->id = talloc_strdup(memory, user->id);
    pthread_mutex_unlock(&memory->lock);
}
