#pragma once
#include "libnux/vx/mailbox.h"
