/* walk_base.c -- the inner loop for any machine. */
#include <string.h>

#define WALK_OBJECT walk_object_base
#define WALK_NUMBER number_fast
#include "monitor/decode/walk_inside.h"
