/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <openssl/err.h>
#include <unistd.h>

#include "front/inside.h"

/* HTTP/1.1 is what is spoken here; a client that offers only others goes on without ALPN (RFC 7301 3.2). */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *size, const unsigned char *in,
                           unsigned in_size, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    (void)ssl, (void)arg;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, size, ours, sizeof ours - 1, in, in_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer, (void)size, (void)writing, (void)arg;
    return -1; /* a server cannot be asked at its terminal */
}

/* The innermost reason that OpenSSL has, in words. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return text ? text : "not in the expected format";
}

static bool load(SSL_CTX *tls, TALLOC_CTX *owner, const char *certificate, const char *key, char **why)
{
    ERR_clear_error();
    if (access(certificate, R_OK) != 0)
        *why = talloc_asprintf(owner, "cannot read the certificate '%s': %s", certificate, strerror(errno));
    else if (access(key, R_OK) != 0)
        *why = talloc_asprintf(owner, "cannot read the private key '%s': %s", key, strerror(errno));
    else if (SSL_CTX_use_certificate_chain_file(tls, certificate) != 1)
        *why = talloc_asprintf(owner,
                               "the certificate '%s' is broken (%s); it must be a PEM file with the server's "
                               "certificate first and its issuers behind it",
                               certificate, reason());
    else if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1 &&
             ERR_GET_REASON(ERR_peek_last_error()) != X509_R_KEY_VALUES_MISMATCH)
        *why = talloc_asprintf(owner, "the private key '%s' is broken (%s); it must be a PEM file without a passphrase",
                               key, reason());
    else if (SSL_CTX_check_private_key(tls) != 1)
        *why = talloc_asprintf(owner, "the private key '%s' does not belong to the certificate '%s'", key, certificate);
    else
        return true;
    ERR_clear_error();
    return false;
}

SSL_CTX *tls_context(TALLOC_CTX *owner, const char *certificate, const char *key, char **why)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS); /* an idle connection keeps no record buffers: 34 KB less */
    SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF); /* tickets resume without memory here */
    SSL_CTX_set_default_passwd_cb(tls, no_passphrase);
    SSL_CTX_set_alpn_select_cb(tls, choose_protocol, NULL);
    if (load(tls, owner, certificate, key, why))
        return tls;
    SSL_CTX_free(tls);
    return NULL;
}
