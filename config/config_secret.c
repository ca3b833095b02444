/* config_secret.c -- secrets come from the environment or from files, never from the configuration's own
 * text.
 *
 * A value may be ${ENV:NAME} or ${FILE:path}; a key NAME_file holds a path. A path without a slash is
 * looked for among systemd's credentials first ($CREDENTIALS_DIRECTORY). The content never enters a
 * message. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config_key.h"
#include "config/diag.h"

enum { SECRET_BYTES_MAX = 1 << 16, PATH_BYTES_MAX = 4096 };

/* Not blocking, or a FIFO would hold us here. */
static int
open_secret(const char *path)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	char full[PATH_BYTES_MAX];
	int fd = -1;

	if (credentials && !strchr(path, '/') &&
	    (size_t)snprintf(full, sizeof full, "%s/%s", credentials, path) < sizeof full)
		fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd >= 0 ? fd : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

int
config_secret_file(struct config_reading *r, const struct yaml_node *n, const char *path, char **out)
{
	struct stat st;
	size_t used = 0;
	int err = 0;
	int fd = open_secret(path);
	char *text = malloc(SECRET_BYTES_MAX + 1);

	if (!text) {
		err = config_reading_error(r, ERR_IO, n, "out of memory");
	} else if (fd < 0 || fstat(fd, &st)) {
		err = config_reading_error(r, ERR_INVALID, n, "%s: cannot read %.200s: %s", n->key, path,
		                           strerror(errno));
	} else if (!S_ISREG(st.st_mode) || st.st_size > SECRET_BYTES_MAX) {
		err = config_reading_error(r, ERR_INVALID, n,
		                           "%s: %.200s is not a file of at most %d bytes", n->key, path,
		                           SECRET_BYTES_MAX);
	} else if (st.st_mode & S_IROTH) {
		err = config_reading_error(r, ERR_INVALID, n, "%s: everybody may read %.200s; "
		                           "`chmod o-r` it first", n->key, path);
	}
	while (!err && used < SECRET_BYTES_MAX) {
		ssize_t got = read(fd, text + used, SECRET_BYTES_MAX - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			err = config_reading_error(r, ERR_INVALID, n, "%s: cannot read %.200s: %s", n->key,
			                           path, strerror(errno));
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	if (!err && memchr(text, '\0', used))
		err = config_reading_error(r, ERR_INVALID, n, "%s: %.200s holds a NUL byte", n->key, path);
	if (!err) {
		used -= used && text[used - 1] == '\n';
		used -= used && text[used - 1] == '\r';
		text[used] = '\0';
		*out = text;
		text = NULL;
	}
	free(text);
	if (fd >= 0)
		close(fd);
	return err;
}

int
config_secret_expand(struct config_reading *r, const struct yaml_node *n, char **out)
{
	const char *text = n->scalar;
	size_t length = strlen(text);
	const char *start = strstr(text, "${");

	if (!start) {
		*out = strdup(text);
		return *out ? 0 : config_reading_error(r, ERR_IO, n, "out of memory");
	}
	bool env = !strncmp(text, "${ENV:", 6), file = !strncmp(text, "${FILE:", 7);
	size_t skip = env ? 6 : 7;
	if ((!env && !file) || strchr(text, '}') != text + length - 1 || length < skip + 2)
		return config_reading_error(r, ERR_INVALID, n, "%s: ${ENV:NAME} and ${FILE:path} stand for "
		                            "a whole value, without anything before, behind or inside",
		                            n->key);
	char *name = strndup(text + skip, length - skip - 1);
	if (!name)
		return config_reading_error(r, ERR_IO, n, "out of memory");
	int err = 0;
	const char *value = env ? getenv(name) : NULL;
	if (file)
		err = config_secret_file(r, n, name, out);
	else if (!value)
		err = config_reading_error(r, ERR_INVALID, n, "%s: the environment has no %.100s", n->key,
		                           name);
	else if (!(*out = strdup(value)))
		err = config_reading_error(r, ERR_IO, n, "out of memory");
	free(name);
	return err;
}

int
config_secret_check_line(struct config_reading *r, const struct yaml_node *n, char **text)
{
	bool bad = !**text;

	for (const char *p = *text; *p; p++)
		bad = bad || (unsigned char)*p < ' ' || *p == 127;
	if (!bad)
		return 0;
	free(*text);
	*text = NULL;
	return config_reading_error(r, ERR_INVALID, n, "%s: the secret is empty or holds control characters",
	                            n->key);
}
