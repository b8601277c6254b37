/* SPDX-License-Identifier: Apache-2.0 */
#include "front/certificate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#define VALID_SECONDS (5 * 365 * 86400L)

static char *alternative_names(TALLOC_CTX *arena, const char *const *names, size_t count)
{
    char *list = talloc_strdup(arena, "");
    for (size_t i = 0; i < count; i++) {
        uint8_t address[16];
        const bool ip = inet_pton(AF_INET, names[i], address) == 1 || inet_pton(AF_INET6, names[i], address) == 1;
        list = talloc_asprintf_append(list, "%s%s:%s", i ? "," : "", ip ? "IP" : "DNS", names[i]);
    }
    return list;
}

static bool add_extension(X509 *x, int id, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, id, value);
    const bool ok = e && X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    return ok;
}

static X509 *sign_new(EVP_PKEY *key, const char *subject, const char *names)
{
    X509 *x = X509_new();
    uint64_t serial;
    random_bytes(&serial, sizeof serial);
    X509_NAME *name = X509_get_subject_name(x);
    const bool ok = X509_set_version(x, X509_VERSION_3) && ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) &&
                    X509_gmtime_adj(X509_getm_notBefore(x), -3600) && X509_gmtime_adj(X509_getm_notAfter(x), VALID_SECONDS) &&
                    X509_set_pubkey(x, key) &&
                    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)subject, -1, -1, 0) &&
                    X509_set_issuer_name(x, name) && add_extension(x, NID_subject_alt_name, names) &&
                    add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
                    add_extension(x, NID_ext_key_usage, "serverAuth") && X509_sign(x, key, EVP_sha256());
    if (ok)
        return x;
    X509_free(x);
    return NULL;
}

static FILE *create(const char *path, mode_t mode)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    return fd < 0 ? NULL : fdopen(fd, "w");
}

static bool write_files(EVP_PKEY *key, X509 *x, const char *certificate_path, const char *key_path)
{
    FILE *k = create(key_path, 0600), *c = k ? create(certificate_path, 0644) : NULL;
    bool ok = k && c && PEM_write_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) && PEM_write_X509(c, x);
    ok = (!k || fclose(k) == 0) && ok;
    return (!c || fclose(c) == 0) && ok;
}

enum ec certificate_create(TALLOC_CTX *owner, const char *certificate, const char *key_path, const char *const *names,
                           size_t count, char **why)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = key ? sign_new(key, names[0], alternative_names(arena, names, count)) : NULL;
    enum ec ec = ecNone;
    if (!x) {
        ec = ecInvalidParam;
        *why = talloc_asprintf(owner, "no certificate can be made for the host name '%s'; choose another --hostname", names[0]);
    } else if (!write_files(key, x, certificate, key_path)) {
        ec = ecAccessDenied;
        *why = talloc_asprintf(owner, "the certificate '%s' cannot be written: %s", certificate, strerror(errno));
    }
    X509_free(x);
    EVP_PKEY_free(key);
    talloc_free(arena);
    return ec;
}
