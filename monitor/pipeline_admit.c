/* pipeline_admit.c -- which models are watched: those listed by name, and others while there is room.
 *
 * That is decided here, in merged order, and not where records are decoded ahead: so it is a function of the
 * records.
 */
#include <stdio.h>

#include "config/config.h"
#include "monitor/decode/decode.h"
#include "monitor/decode/text.h"
#include "monitor/log.h"
#include "monitor/pipeline_inside.h"

struct model *
pipeline_admit(struct pipeline *p, uint32_t number)
{
	uint32_t length;
	const char *name;

	if (number < p->numbers && p->numbered[number])
		return p->numbered[number];
	name = decoder_model_name(p->common.decoder, number, &length);
	if (!config_model(p->config, name, length) && p->ranked + p->config->models >= p->config->models_max)
		return NULL;
	return pipeline_model(p, number);
}

void
pipeline_refuse_model(struct pipeline *p, const struct record *r)
{
	struct record refused = *r;
	char shown[4 * 40 + 1];
	uint32_t length;
	const char *name = decoder_model_name(p->common.decoder, r->model, &length);

	text_printable(name, length, 40, shown, sizeof shown);
	refused.reject = REJECT_MODELS_MAX;
	refused.raw_length = 0;
	snprintf(refused.detail, sizeof refused.detail, "%.60s: %u models are watched already", shown,
	         p->config->models_max);
	if (!p->rejected[REJECT_MODELS_MAX])
		log_event(LOG_WARN, "models_max", "model %s is not watched: there are %u (`models_max`) already; "
		          "its records are counted and left out, others go on", shown, p->config->models_max);
	pipeline_reject(p, &refused);
}
