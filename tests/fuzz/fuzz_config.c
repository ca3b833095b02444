/* fuzz_config.c -- any text is a configuration or is refused with a sentence. */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/diag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = NULL;
	struct diag d = { "" };
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	if (config_parse(&config, text, size, "fuzz", NULL, &d)) {
		if (config || !d.text[0])
			abort(); /* an error without a sentence, or with half a configuration */
	} else if (!config || !config->database || !config->kafka.brokers) {
		abort();
	}
	config_free(config);
	free(text);
	return 0;
}
