#pragma once
#include "libnux/vx/syn.h"
