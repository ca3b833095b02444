/* notify.h -- what systemd is told (sd_notify(3)): a datagram to $NOTIFY_SOCKET, nothing where there is
 * none. */
#ifndef MONITOR_NOTIFY_H
#define MONITOR_NOTIFY_H

#include <stdint.h>

/* Lines like "READY=1\nSTATUS=..."; never blocks, errors are ignored. */
void notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Half of the watchdog's patience in milliseconds, or 0 when it does not watch this process. */
int64_t notify_watchdog_ms(void);

#endif
