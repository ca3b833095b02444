/* sink_command.c -- a program that reads the message from its standard input; exit status 0 takes it.
 *
 * It gets a small environment of its own (ours may hold secrets), no descriptor but 0 to 2, and a process
 * group, so that all of it can be ended when its time is up. */
#define _GNU_SOURCE /* pipe2, posix_spawn_file_actions_addclosefrom_np */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/diag.h"
#include "monitor/clock.h"
#include "monitor/deliver/sink.h"

enum { ENVIRONMENT = 10, POLL_MS = 20 };

struct command {
	const struct sink_config *config;
	const struct sink_world *world;
	char **argv; /* the configured texts, and NULL */
};

static void
close_command(void *self)
{
	struct command *c = self;

	if (c)
		free(c->argv);
	free(c);
}

static int
open_command(void **self, const struct sink_config *config, const struct sink_world *world, struct diag *d)
{
	struct command *c = calloc(1, sizeof *c);

	if (c)
		c->argv = calloc(config->command.n + 1, sizeof *c->argv);
	if (!c || !c->argv) {
		close_command(c);
		return diag_set(d, ERR_IO, "out of memory");
	}
	memcpy(c->argv, config->command.text, config->command.n * sizeof *c->argv);
	c->config = config;
	c->world = world;
	*self = c;
	return 0;
}

static int
spawn(const struct command *c, const struct outbox_message *m, int input, pid_t *pid)
{
	static const char *const inherited[] = { "PATH", "HOME", "LANG", "TZ" };
	char text[ENVIRONMENT][512], *environment[ENVIRONMENT + 1] = { NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int n = 0, err;

	for (size_t i = 0; i < sizeof inherited / sizeof inherited[0]; i++)
		if (getenv(inherited[i]))
			snprintf(text[n++], sizeof text[0], "%s=%s", inherited[i], getenv(inherited[i]));
	snprintf(text[n++], sizeof text[0], "DRIFTD_MESSAGE=%s", m->field[FIELD_ID]);
	snprintf(text[n++], sizeof text[0], "DRIFTD_ALERT=%s", m->alert_id);
	snprintf(text[n++], sizeof text[0], "DRIFTD_EVENT=%s", m->event);
	for (int i = 0; i < n; i++)
		environment[i] = text[i];
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
	posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
	                         POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0);
	err = posix_spawnp(pid, c->argv[0], &files, &attributes, c->argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return err;
}

/* Writes as far as the program reads. false: it reads no more. */
static bool
feed(int fd, const char *body, size_t length, size_t *at)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	if (poll(&p, 1, POLL_MS) <= 0)
		return true;
	ssize_t wrote = write(fd, body + *at, length - *at);
	if (wrote < 0)
		return errno == EAGAIN || errno == EINTR;
	*at += (size_t)wrote;
	return *at < length;
}

/* Its wait status; -1: it did not end in time and was killed. */
static int
attend(const struct command *c, const struct outbox_message *m, int fd, pid_t pid)
{
	int64_t until = clock_monotonic_ms() + c->config->timeout_ms;
	size_t at = 0, length = strlen(m->body);
	int status = 0;

	for (;;) {
		if (fd >= 0 && !feed(fd, m->body, length, &at)) {
			close(fd);
			fd = -1;
		}
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
		if (clock_monotonic_ms() > until || atomic_load(c->world->cancel)) {
			kill(-pid, SIGKILL);
			waitpid(pid, &status, 0);
			status = -1;
			break;
		}
		if (fd < 0)
			poll(NULL, 0, POLL_MS);
	}
	if (fd >= 0)
		close(fd);
	return status;
}

static void
send_command(void *self, const struct outbox_message *m, struct reply *r)
{
	const struct command *c = self;
	int pipes[2], err, status;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC)) {
		reply_set(r, REPLY_LATER, "pipe: %s", strerror(errno));
		return;
	}
	fcntl(pipes[1], F_SETFL, O_NONBLOCK);
	err = spawn(c, m, pipes[0], &pid);
	close(pipes[0]);
	if (err) {
		close(pipes[1]);
		reply_set(r, REPLY_LATER, "%s does not start: %s", c->argv[0], strerror(err));
		return;
	}
	status = attend(c, m, pipes[1], pid);
	if (status == 0)
		reply_set(r, REPLY_TAKEN, "%s", "");
	else if (status == -1)
		reply_set(r, REPLY_LATER, "did not end within %lld ms and was killed",
		          (long long)c->config->timeout_ms);
	else if (WIFSIGNALED(status))
		reply_set(r, REPLY_LATER, "ended by signal %d", WTERMSIG(status));
	else
		reply_set(r, REPLY_LATER, "exit status %d", WEXITSTATUS(status));
}

const struct sink_kind sink_command = { open_command, send_command, close_command };
