/* signature.c -- see signature.h. */
#include "monitor/deliver/signature.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { HASH_BYTES = 32, SECRET_BYTES_MAX = 1 << 16 };

/* The key behind whsec_; -1 when it is not base 64. EVP counts padding as zero bytes. */
static int
decode(const char *text, unsigned char *key)
{
	size_t length = strlen(text);
	int n = length % 4 ? -1 : EVP_DecodeBlock(key, (const unsigned char *)text, (int)length);

	for (size_t i = length; n > 0 && i > 0 && text[i - 1] == '='; i--)
		n--;
	return n;
}

bool
signature(const char *secret, const char *id, const char *timestamp, const char *body, size_t length,
          char out[SIGNATURE_BYTES + 4])
{
	size_t size = strlen(id) + strlen(timestamp) + length + 3;
	unsigned char hash[HASH_BYTES], text[SIGNATURE_BYTES + 1], *key = NULL;
	unsigned bytes = 0;
	char *content = malloc(size);
	bool fine = false;
	int key_bytes = (int)strlen(secret);

	if (content && strlen(secret) <= SECRET_BYTES_MAX && (key = malloc(strlen(secret) + 4))) {
		memcpy(key, secret, strlen(secret));
		if (!strncmp(secret, "whsec_", 6))
			key_bytes = decode(secret + 6, key);
		int head = snprintf(content, size, "%s.%s.", id, timestamp);
		memcpy(content + head, body, length);
		fine = key_bytes > 0 && HMAC(EVP_sha256(), key, key_bytes, (unsigned char *)content,
		                             (size_t)head + length, hash, &bytes) && bytes == HASH_BYTES;
	}
	if (fine) {
		EVP_EncodeBlock(text, hash, HASH_BYTES);
		snprintf(out, SIGNATURE_BYTES + 4, "v1,%s", (const char *)text);
	}
	free(content);
	free(key);
	return fine;
}
