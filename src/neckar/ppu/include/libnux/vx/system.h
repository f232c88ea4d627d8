#pragma once
#include <stdlib.h> // exit: stops the processor; every later call of a kernel fails
