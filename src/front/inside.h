/* SPDX-License-Identifier: Apache-2.0 */
/* front/inside.h: what the files of this room share.
 *
 *     I/O thread (io.c)      owns connections; each has one message that comes in (struct incoming)
 *     connection.c           and one exchange in flight (struct exchange, whose first member is the answer)
 *     pool.c, request.c      workers run handlers; what they say goes as parcels to the I/O thread
 *
 * An exchange outlives its connection when a worker or a parked holder still has a reference.  Only the I/O thread
 * looks at exchange->connection; it is NULL once nobody listens. */
#pragma once
#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/ssl.h>

#include "front/front.h"
#include "http/transport.h"

/* pool.c: threads that run jobs in the order in which they came.  One user's jobs have at most half of the threads; what
 * is more waits its turn, and holds up nobody else. */
struct job {
    struct job *next;
    struct share *share; /* of its user */
    void (*run)(struct job *);
};
struct pool;
struct pool *pool_new(TALLOC_CTX *owner, unsigned threads);
void pool_add(struct pool *, struct job *, const char *user); /* NULL: nobody's */
void pool_close(struct pool *); /* runs what is queued, then joins the threads */

/* peer.c: who is at the other end.  IPv4 addresses are held as ::ffff:a.b.c.d. */
struct address {
    uint8_t bytes[16];
};
struct network {
    struct address address;
    unsigned bits;
};
bool address_parse(const char *text, struct address *out); /* a port behind it is allowed */
struct address address_of(const struct sockaddr *);
char *address_text(TALLOC_CTX *, struct address);
bool network_parse(const char *text, struct network *out);
bool network_holds(const struct network *, struct address);
bool address_is_loopback(struct address);

/* sign_in.c: verified passwords, remembered for a moment as an HMAC under a key of this process. */
struct memory;
struct memory *memory_new(TALLOC_CTX *owner, unsigned remember_ms);
bool memory_recall(struct memory *, uint64_t generation, struct blob credentials, TALLOC_CTX *arena,
                   struct http_user *out);
void memory_keep(struct memory *, uint64_t generation, struct blob credentials, const struct http_user *);

/* tls.c */
SSL_CTX *tls_context(TALLOC_CTX *owner, const char *certificate, const char *key, char **why);

/* listen.c: a bound, listening, non-blocking socket, or -1 with a reason. */
int listen_on(TALLOC_CTX *owner, const char *address_and_port, char **why);
unsigned listen_port(int fd);

struct incoming { /* one request on its way in; its arena's first child */
    struct http_request request;
    struct http_parser *parser;
    struct front *front;
    struct buf body;
    uint64_t body_seen;
    size_t charged; /* of front->memory_used */
    const struct front_route *route;
    struct http_user user;
    bool basic_is_safe; /* the password cannot be overheard */
    bool admitted;
    bool can_go_on; /* refused without its body, the connection may still be kept */
};

struct io;
struct connection;

struct exchange {
    struct http_answer answer;
    struct io *io;
    struct connection *connection;
    struct incoming *incoming; /* while a job has it */
    struct job job;
    uint64_t alarm_at, pulse_at; /* clock_ms(); 0: none */
    unsigned pulse_ms;
    bool watched, told;
    enum { EXCHANGE_OPEN, EXCHANGE_SENT, EXCHANGE_GONE } fate;
    uint64_t started;
    char *label; /* for the log: peer, user, method, path */
};

/* A parcel to an I/O thread; parcels arrive in the order in which they were posted. */
struct parcel {
    struct parcel *next;
    void (*deliver)(struct io *, struct parcel *); /* owns the parcel then */
    struct exchange *exchange;                     /* a reference, dropped after delivery */
    unsigned ms;
    enum http_after after;
    size_t size;
    uint8_t bytes[];
};

struct io {
    struct front *front;
    pthread_t thread;
    struct event_base *base;
    pthread_mutex_t lock; /* of the parcels and of `deaf` */
    struct parcel *first, **end;
    bool deaf; /* the thread is over: parcels are thrown away */
    int wake_fd;
    struct event *wake, *accept_https, *accept_http, *accept_again, *patience;
    struct connection *connections;
    bool stopping, full;
};

struct front {
    struct front_config config; /* defaults filled in, strings copied */
    struct network *proxies;
    size_t proxy_count;
    int https_fd, http_fd;
    pthread_mutex_t tls_lock;
    SSL_CTX *tls;
    struct memory *memory;
    struct pool *workers, *sign_ins;
    struct io *io;
    unsigned io_count;
    atomic_uint connections;
    atomic_size_t memory_used;
    pthread_mutex_t stop_lock;
    pthread_cond_t stopped;
    unsigned io_busy; /* I/O threads that still have connections while stopping */
};

/* io.c */
enum ec io_open(struct io *, struct front *);
void io_post(struct io *, struct parcel *);
struct parcel *parcel_new(struct exchange *, void (*deliver)(struct io *, struct parcel *), size_t size);
void io_stop(struct io *, unsigned patience_ms); /* asks for it; front->io_busy says when it has come */
void io_close(struct io *);                      /* after the workers: ends the thread */
void io_emptied(struct io *);                    /* a stopping thread's last connection is gone */

/* connection.c */
void connection_open(struct io *, int fd, bool tls, struct address peer);
void connection_stop(struct connection *); /* the server stops: idle ones close, waiting ones are told */
void connection_cut(struct connection *);
struct connection *connection_next(struct connection *);
void connection_signed_in(struct io *, struct parcel *);
extern const struct http_transport front_transport;

/* request.c */
const struct front_route *route_of(const struct front *, const char *path, const char **below);
void request_read_head(struct incoming *, const struct http_head *, struct address peer, bool tls);
bool request_is_remembered(struct incoming *);
void request_refuse(struct incoming *, struct http_answer *, unsigned offered);
void request_sign_in(struct job *); /* jobs of an exchange */
void request_run(struct job *);
