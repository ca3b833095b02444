/* exit_status.c -- what an error of the library is to the shell. */
#include "config/diag.h"
#include "monitor/command/commands.h"

int
exit_status(int err)
{
	switch (err) {
	case ERR_NONE:
		return EXIT_FINE;
	case ERR_INVALID:
	case ERR_LIMIT:
	case ERR_NEWER:
		return EXIT_CONFIG;
	case ERR_RUNNING:
		return EXIT_RUNNING;
	case ERR_CORRUPT:
		return EXIT_CORRUPT;
	case ERR_MISSING:
		return EXIT_NO_INPUT;
	case ERR_BUSY:
	case ERR_FULL:
	case ERR_IO:
		return EXIT_DISK;
	default:
		return EXIT_INTERNAL;
	}
}
