/* signature.h -- how a receiver knows that a message is ours (standardwebhooks.com): HMAC-SHA256 over
 * "ID.TIMESTAMP.BODY", in base 64. */
#ifndef MONITOR_DELIVER_SIGNATURE_H
#define MONITOR_DELIVER_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>

enum { SIGNATURE_BYTES = 48 };

/* `secret` as it is, or whsec_ and its bytes in base 64. `out`: "v1," and the signature. false: the secret
 * is not base 64, or memory failed. */
bool signature(const char *secret, const char *id, const char *timestamp, const char *body, size_t length,
               char out[SIGNATURE_BYTES + 4]);

#endif
