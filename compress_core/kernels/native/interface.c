/* The version of all functions here: INTERFACE in __init__.py. */
#include "common.h"

EXPORT int modelopt_interface(void) { return 11; }
