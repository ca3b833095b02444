/* workers.c -- see workers.h. */
#include "tests/bench/workers.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "monitor/command/progress.h"

struct queue {
	_Atomic uint32_t next, done;
};

void *
workers_memory(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(70);
	}
	return p;
}

static void
worker(struct queue *q, uint32_t n, void (*work)(void *, uint32_t), void *context)
{
	for (uint32_t i; (i = atomic_fetch_add(&q->next, 1)) < n;) {
		work(context, i);
		atomic_fetch_add(&q->done, 1);
	}
}

/* Ends when all children have; a failed one makes the result -1. */
static int
wait_for(struct queue *q, uint32_t n, struct progress *bar)
{
	int left = WORKERS, status, result = 0;

	while (left > 0) {
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid > 0) {
			left--;
			result = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? result : -1;
		} else if (pid < 0 && errno != EINTR) {
			return -1;
		}
		progress_tell(bar, atomic_load(&q->done), n, 0);
		if (left && !pid)
			nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
	return result;
}

int
workers_run(const char *what, uint32_t n, void (*work)(void *context, uint32_t i), void *context)
{
	struct queue *q = workers_memory(sizeof *q);
	struct progress bar;
	int result;

	fflush(NULL);
	for (int w = 0; w < WORKERS; w++) {
		pid_t pid = fork();

		if (pid < 0)
			exit(70);
		if (pid == 0) {
			worker(q, n, work, context);
			_exit(0);
		}
	}
	progress_begin(&bar, what, false);
	result = wait_for(q, n, &bar);
	progress_end(&bar);
	munmap(q, sizeof *q);
	return result;
}
