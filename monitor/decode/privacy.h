/* privacy.h -- `privacy: {values: bin | hash}`: what of a record never gets beyond the decoder.
 *
 * Everything behind the decoder (tables, states, alerts, logs, the page) sees hashes only, so that
 * nothing there can forget to hide a text. Numbers stay numbers, for tests need them; where they would be
 * shown one by one (smallest, largest, quantiles of a window) the bounds of their cell are shown:
 * stream_window.c.
 */
#ifndef MONITOR_DECODE_PRIVACY_H
#define MONITOR_DECODE_PRIVACY_H

#include "config/config.h"
#include "monitor/decode/record.h"

enum { PRIVACY_TEXT = 18 }; /* "#", 16 hexadecimal digits, and the NUL */

/* How a text is written instead: its SipHash-1-3 with the key of the database's ids. */
void privacy_text(const uint8_t hash_key[16], const void *text, size_t length, char out[PRIVACY_TEXT]);
/* The accepted record's id and, with PRIVACY_HASH, the texts of its features, own streams and `segments`
 * segments. */
void privacy_hide(enum privacy_values values, const uint8_t hash_key[16], uint32_t segments,
                  struct record *r);

#endif
