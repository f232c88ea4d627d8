// Text for the host, 4 KiB; what does not fit is cut off.
#pragma once
#include <cstdint>
#include "neckar/port.h"
#include <s2pp.h>

namespace libnux::vx {

inline uint32_t mailbox_write_string(char const* text)
{
	return neckar_mail(text, __builtin_strlen(text));
}

inline uint32_t mailbox_write_int(uint32_t number)
{
	char digits[10];
	uint32_t first = sizeof(digits);
	do {
		digits[--first] = '0' + number % 10;
		number /= 10;
	} while (number);
	return neckar_mail(digits + first, sizeof(digits) - first);
}

inline uint32_t mailbox_write_signed_int(int32_t number)
{
	if (number >= 0) {
		return mailbox_write_int(number);
	}
	return neckar_mail("-", 1) + mailbox_write_int(0u - static_cast<uint32_t>(number));
}

} // namespace libnux::vx
