/* base64.h -- vectors as base64 of little-endian floats: {"b64f32": "..."} and {"b64f16": "..."}. */
#ifndef MONITOR_DECODE_BASE64_H
#define MONITOR_DECODE_BASE64_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum base64_float { BASE64_F32 = 4, BASE64_F16 = 2 }; /* bytes of a number */

/* Numbers that `length` characters hold, or SIZE_MAX when they are not a whole number of them, or not
 * base64 by their length. Padding with '=' is optional. */
size_t base64_count(const char *text, size_t length, enum base64_float type);
/* Decodes them into out[base64_count()] as they are: infinite and NaN too. False on a character that is
 * not base64 (the standard or the URL alphabet). */
int base64_decode(const char *text, size_t length, enum base64_float type, double *out);

#ifdef __cplusplus
}
#endif

#endif
