#pragma once

#define SYMBOL_VISIBLE
