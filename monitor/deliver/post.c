/* post.c -- see post.h. libcurl's easy interface; the handle is kept, and with it the connection. */
#include "monitor/deliver/post.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "config/diag.h"

enum {
	CONNECT_MS = 5000,
	ANSWER_BYTES = 64 * 1024,  /* what is read of an answer; the rest is of no use */
	TEXT_BYTES = 120,          /* of the answer, in messages about refusals */
	RETRY_AFTER_MAX_S = 3600,
};

struct post {
	CURL *curl;
	struct curl_slist *header; /* of every request */
	const struct sink_world *world;
	char *url;
	size_t got;                /* bytes of the answer */
	char text[TEXT_BYTES + 1]; /* its beginning */
};

static size_t
receive(char *bytes, size_t size, size_t n, void *context)
{
	struct post *p = context;
	size_t have = p->got < TEXT_BYTES ? p->got : TEXT_BYTES, room = TEXT_BYTES - have;

	memcpy(p->text + have, bytes, n < room ? n : room);
	p->text[have + (n < room ? n : room)] = 0;
	p->got += n;
	return p->got > ANSWER_BYTES ? 0 : size * n; /* 0: enough */
}

static int
progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct post *p = context;

	(void)a, (void)b, (void)c, (void)d;
	return atomic_load(p->world->cancel);
}

static struct curl_slist *
append(struct curl_slist *list, const char *line)
{
	struct curl_slist *grown = curl_slist_append(list, line);

	if (!grown)
		curl_slist_free_all(list);
	return grown;
}

static int
prepare(struct post *p, const struct sink_config *config, const char *type)
{
	char line[4096];

	snprintf(line, sizeof line, "Content-Type: %s", type);
	p->header = append(NULL, line);
	if (p->header && config->token &&
	    (size_t)snprintf(line, sizeof line, "Authorization: Bearer %s", config->token) < sizeof line)
		p->header = append(p->header, line);
	if (p->header)
		p->header = append(p->header, "Expect:");
	if (!p->header)
		return ERR_IO;
	curl_easy_setopt(p->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(p->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(p->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(p->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(p->curl, CURLOPT_TIMEOUT_MS, (long)config->timeout_ms);
	curl_easy_setopt(p->curl, CURLOPT_PROXY, config->proxy ? config->proxy : "");
	curl_easy_setopt(p->curl, CURLOPT_USERAGENT, "driftd/" DRIFTD_VERSION);
	if (config->ca_file)
		curl_easy_setopt(p->curl, CURLOPT_CAINFO, config->ca_file);
	curl_easy_setopt(p->curl, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(p->curl, CURLOPT_WRITEDATA, p);
	curl_easy_setopt(p->curl, CURLOPT_XFERINFOFUNCTION, progress);
	curl_easy_setopt(p->curl, CURLOPT_XFERINFODATA, p);
	curl_easy_setopt(p->curl, CURLOPT_NOPROGRESS, 0L);
	return curl_easy_setopt(p->curl, CURLOPT_URL, p->url) ? ERR_IO : 0;
}

int
post_open(struct post **out, const struct sink_config *config, const char *path, const char *type,
          const struct sink_world *world, struct diag *d)
{
	struct post *p = calloc(1, sizeof *p);
	size_t length = strlen(config->url), size = length + strlen(path) + 1;

	*out = NULL;
	if (p) {
		p->world = world;
		p->curl = curl_easy_init();
		p->url = malloc(size);
	}
	if (!p || !p->curl || !p->url)
		goto fail;
	while (*path && length && config->url[length - 1] == '/')
		length--;
	snprintf(p->url, size, "%.*s%s", (int)length, config->url, path);
	if (prepare(p, config, type))
		goto fail;
	*out = p;
	return 0;
fail:
	post_close(p);
	return diag_set(d, ERR_IO, "sink %s: out of memory", config->name);
}

void
post_close(struct post *p)
{
	if (!p)
		return;
	if (p->curl)
		curl_easy_cleanup(p->curl);
	curl_slist_free_all(p->header);
	free(p->url);
	free(p);
}

/* What may be tried again: overload and its kin. A wrong address or message stays wrong. */
static void
judge(struct post *p, long status, struct reply *r)
{
	curl_off_t after = 0;

	for (char *c = p->text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = ' ';
	if (status >= 200 && status < 300) {
		reply_set(r, REPLY_TAKEN, "%s", "");
		return;
	}
	if (status == 401 || status == 403 || status == 407)
		reply_set(r, REPLY_DENIED, "HTTP status %ld: the credentials are not accepted", status);
	else if (status == 408 || status == 425 || status == 429 || status >= 500)
		reply_set(r, REPLY_LATER, "HTTP status %ld", status);
	else if (status >= 300 && status < 400) /* 302, 303 and 307 call themselves temporary */
		reply_set(r, status == 302 || status == 303 || status == 307 ? REPLY_LATER : REPLY_REFUSED,
		          "HTTP status %ld: redirects are not followed; configure the address it leads "
		          "to", status);
	else
		reply_set(r, REPLY_REFUSED, "HTTP status %ld: %s", status, p->text);
	if (!curl_easy_getinfo(p->curl, CURLINFO_RETRY_AFTER, &after) && after > 0)
		r->after_ms = (after < RETRY_AFTER_MAX_S ? after : RETRY_AFTER_MAX_S) * 1000;
}

void
post_send(struct post *p, const char *body, size_t length, const char *const *header, struct reply *r,
          long *status)
{
	struct curl_slist *line = NULL;
	CURLcode code;

	*status = 0;
	p->got = 0;
	p->text[0] = 0;
	memset(r, 0, sizeof *r);
	for (struct curl_slist *h = p->header; h; h = h->next)
		if (!(line = append(line, h->data)))
			break;
	for (size_t i = 0; line && header && header[i]; i++)
		line = append(line, header[i]);
	if (!line) {
		reply_set(r, REPLY_LATER, "out of memory");
		return;
	}
	curl_easy_setopt(p->curl, CURLOPT_HTTPHEADER, line);
	curl_easy_setopt(p->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
	curl_easy_setopt(p->curl, CURLOPT_POSTFIELDS, body);
	code = curl_easy_perform(p->curl);
	curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, status);
	/* A body beyond what we read ends the transfer after its status has come: that is the answer. */
	if (!code || (code == CURLE_WRITE_ERROR && p->got > ANSWER_BYTES))
		judge(p, *status, r);
	else if (code == CURLE_ABORTED_BY_CALLBACK)
		reply_set(r, REPLY_LATER, "stopped while sending");
	else
		reply_set(r, REPLY_LATER, "%s", curl_easy_strerror(code));
	curl_easy_setopt(p->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(line);
}
