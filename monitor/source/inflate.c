#include "monitor/source/inflate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "config/diag.h"

enum { INPUT_BYTES = 64 * 1024 };

int
inflate_open(struct inflate *f, const char *path, struct diag *d)
{
	struct stat st;

	*f = (struct inflate){ 0 };
	f->fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : fcntl(0, F_DUPFD_CLOEXEC, 3);
	if (f->fd < 0)
		return diag_set(d, errno == ENOENT ? ERR_MISSING : ERR_IO, "%s: %s", path,
		                strerror(errno));
	if (fstat(f->fd, &st) || S_ISDIR(st.st_mode)) {
		diag_set(d, ERR_IO, "%s: %s", path, S_ISDIR(st.st_mode) ? "is a directory" : strerror(errno));
		inflate_close(f);
		return ERR_IO;
	}
	f->stream = !S_ISREG(st.st_mode);
	f->bytes_total = f->stream ? 0 : (uint64_t)st.st_size;
	f->input = malloc(INPUT_BYTES);
	if (!f->input) {
		inflate_close(f);
		return diag_set(d, ERR_IO, "out of memory");
	}
	if (!f->stream)
		(void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

static ssize_t
read_some(struct inflate *f, void *out, size_t size, const char **error)
{
	ssize_t n;

	if (f->stream) {
		struct pollfd p = { .fd = f->fd, .events = POLLIN };
		if (poll(&p, 1, 0) <= 0)
			return INFLATE_AGAIN;
	}
	n = read(f->fd, out, size);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return INFLATE_AGAIN;
	if (n < 0) {
		*error = strerror(errno);
		return -1;
	}
	f->bytes_read += (uint64_t)n;
	f->at_end = !n;
	return n;
}

/* Gathers the first bytes until they tell gzip from plain. */
static ssize_t
check(struct inflate *f, const char **error)
{
	while (f->input_end < 2 && !f->at_end) {
		const ssize_t n = read_some(f, f->input + f->input_end, INPUT_BYTES - f->input_end, error);
		if (n < 0)
			return n;
		f->input_end += (size_t)n;
	}
	if (f->input_end >= 2 && f->input[0] == 0x1f && f->input[1] == 0x8b) {
		f->z = calloc(1, sizeof *f->z);
		if (!f->z || inflateInit2(f->z, 15 + 16) != Z_OK) {
			free(f->z);
			f->z = NULL;
			*error = "out of memory";
			return -1;
		}
		f->in_member = true;
	}
	f->checked = true;
	return 0;
}

static ssize_t
read_plain(struct inflate *f, void *out, size_t size, const char **error)
{
	size_t n = f->input_end - f->input_begin;

	if (!n)
		return f->at_end ? 0 : read_some(f, out, size, error);
	if (n > size)
		n = size;
	memcpy(out, f->input + f->input_begin, n);
	f->input_begin += n;
	return (ssize_t)n;
}

/* More compressed bytes when there are none. False: none now or none left. */
static ssize_t
refill(struct inflate *f, const char **error)
{
	if (f->input_begin < f->input_end)
		return 1;
	if (f->at_end)
		return 0;
	f->input_begin = f->input_end = 0;
	const ssize_t n = read_some(f, f->input, INPUT_BYTES, error);
	if (n > 0)
		f->input_end = (size_t)n;
	return n;
}

/* Inflates what is there into z->next_out; sets `damage`. */
static void
step(struct inflate *f)
{
	f->z->next_in = f->input + f->input_begin;
	f->z->avail_in = (uInt)(f->input_end - f->input_begin);
	const int r = inflate(f->z, Z_NO_FLUSH);
	f->input_begin = f->input_end - f->z->avail_in;
	if (r == Z_STREAM_END)
		f->in_member = false;
	else if (r != Z_OK && r != Z_BUF_ERROR)
		f->damage = f->z->msg ? f->z->msg : "the gzip file is damaged";
}

static ssize_t
read_gzip(struct inflate *f, void *out, size_t size, const char **error)
{
	f->z->next_out = out;
	f->z->avail_out = (uInt)size;
	while (!f->damage) {
		const ssize_t n = refill(f, error);
		if (n < 0)
			return n;
		if (!n && !f->in_member)
			return 0;
		if (!n) {
			f->damage = "the gzip file is cut off";
			break;
		}
		if (!f->in_member) { /* behind a member: another one, or bytes that are not gzip */
			(void)inflateReset(f->z);
			f->in_member = true;
		}
		step(f);
		if (f->z->avail_out < size)
			return (ssize_t)(size - f->z->avail_out);
	}
	*error = f->damage;
	return -1;
}

ssize_t
inflate_read(struct inflate *f, void *out, size_t size, const char **error)
{
	if (!f->checked) {
		const ssize_t n = check(f, error);
		if (n)
			return n;
	}
	return f->z ? read_gzip(f, out, size, error) : read_plain(f, out, size, error);
}

int
inflate_rewind(struct inflate *f)
{
	if (f->stream || lseek(f->fd, 0, SEEK_SET))
		return -1;
	if (f->z) {
		inflateEnd(f->z);
		free(f->z);
		f->z = NULL;
	}
	f->checked = f->at_end = f->in_member = false;
	f->damage = NULL;
	f->input_begin = f->input_end = 0;
	f->bytes_read = 0;
	return 0;
}

void
inflate_close(struct inflate *f)
{
	if (f->z) {
		inflateEnd(f->z);
		free(f->z);
	}
	free(f->input);
	if (f->input || f->fd > 0)
		close(f->fd);
	*f = (struct inflate){ 0 };
}
