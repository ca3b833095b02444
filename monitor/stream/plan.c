/* plan.c -- see plan.h. */
#include "monitor/stream/plan.h"

#include "config/config.h"

static const double weight[SHARE_CLASSES] = { 0.4, 0.3, 0.25, 0.05 };

double
plan_share(const struct plan *p, enum share_class class, const uint32_t streams[SHARE_CLASSES])
{
	double present = 0;

	for (int c = 0; c < SHARE_CLASSES; c++)
		if (streams[c])
			present += weight[c];
	if (!streams[class] || !p->models)
		return 0;
	return p->budget * (1 - PLAN_RESERVE) / p->models * weight[class] / present / streams[class];
}

uint32_t
plan_models(const struct config *config)
{
	return (uint32_t)config->models + (config->models_auto || config->patterns);
}

double
plan_latecomer(const struct plan *p, uint32_t i)
{
	return p->budget * PLAN_RESERVE * 0.6079271018540267 / ((double)i * i); /* 6 / pi^2 */
}

double
plan_model(uint32_t i)
{
	return i ? 0.6079271018540267 / ((double)i * i) : 1;
}

const char *
share_class_text(enum share_class c)
{
	static const char *const text[] = { "labels", "outputs", "inputs", "quality" };

	return text[c];
}
