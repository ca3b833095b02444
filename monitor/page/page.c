/* page.c -- the page put together from its files. See page.h. The files are part of the program: the
 * assembler reads them at build time (the chart library from where its package installed it). */
#include "monitor/page/page.h"

#include <string.h>

#define FILE_IN_PROGRAM(name, path)                                                                \
	__asm__(".section .rodata\n"                                                               \
	        "page_file_" #name ": .incbin \"" path "\"\n"                                      \
	        "page_file_" #name "_end: .byte 0\n"                                               \
	        ".previous\n");                                                                    \
	extern const char page_file_##name[], page_file_##name##_end[];

FILE_IN_PROGRAM(html, "monitor/page/page.html")
FILE_IN_PROGRAM(css, "monitor/page/page.css")
FILE_IN_PROGRAM(chart, "monitor/page/chart.js")
FILE_IN_PROGRAM(script, "monitor/page/page.js")
FILE_IN_PROGRAM(dygraph, DRIFTD_DYGRAPHS "/dygraph.min.js")
FILE_IN_PROGRAM(dygraph_css, DRIFTD_DYGRAPHS "/dygraph.min.css")

static const struct slot {
	const char *name; /* stands in page.html as @NAME@ */
	const char *begin, *end;
} slots[] = {
	{ "@DYGRAPH_CSS@", page_file_dygraph_css, page_file_dygraph_css_end },
	{ "@PAGE_CSS@", page_file_css, page_file_css_end },
	{ "@DYGRAPH_JS@", page_file_dygraph, page_file_dygraph_end },
	{ "@CHART_JS@", page_file_chart, page_file_chart_end },
	{ "@PAGE_JS@", page_file_script, page_file_script_end },
};

static const char data_slot[] = "@DATA@";

int
page_write(FILE *out, int (*data)(void *context, FILE *out), void *context)
{
	const char *at = page_file_html, *end = page_file_html_end;
	int err = 0;

	while (at < end) {
		const char *mark = memchr(at, '@', (size_t)(end - at));
		size_t skip = 1;

		if (!mark)
			mark = end;
		fwrite(at, 1, (size_t)(mark - at), out);
		if (mark == end)
			break;
		if (!strncmp(mark, data_slot, sizeof data_slot - 1)) {
			skip = sizeof data_slot - 1;
			if (!data)
				fputs("null", out);
			else if (!err)
				err = data(context, out);
		}
		for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++)
			if (!strncmp(mark, slots[i].name, strlen(slots[i].name))) {
				skip = strlen(slots[i].name);
				fwrite(slots[i].begin, 1, (size_t)(slots[i].end - slots[i].begin), out);
			}
		at = mark + skip;
	}
	return err;
}
