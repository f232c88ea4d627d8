// What every kernel is linked with: access to the port, memory, and the few functions of the C and C++ libraries that generated code calls.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include "neckar/port.h"
#include "neckar/taps.h"

#define EXPORT_FUNCTION __attribute__((visibility("default")))

extern "C" {
__attribute__((import_module("neckar"), import_name("observe"))) void host_observe(uint32_t view, uint32_t row);
__attribute__((import_module("neckar"), import_name("time"))) uint64_t host_time();
__attribute__((import_module("neckar"), import_name("flush"))) void host_flush();
__attribute__((import_module("neckar"), import_name("watch"))) void host_watch(char const* name, uint32_t line, uint32_t kind, void const* values, uint32_t number);
void __wasm_call_ctors();
extern unsigned char __heap_base;
extern unsigned char __start_neckar_ext __attribute__((weak));
extern unsigned char __stop_neckar_ext __attribute__((weak));
extern unsigned char __start_neckar_dram __attribute__((weak));
extern unsigned char __stop_neckar_dram __attribute__((weak));
neckar::Port neckar_port;
uint32_t ppu;
void* __dso_handle;
}

namespace {

// cycles at 250 MHz (neckar.facts.ppu_brainscales2, which the host compares)
constexpr uint32_t register_cycles = 20;
constexpr uint32_t conversion_cycles = 410;
constexpr uint32_t bus_cycles = 250;

// instructions that the access functions take themselves and that move a row to and from them; the cycles above stand for them
constexpr uint32_t load_fuel = 137 + 480;
constexpr uint32_t store_fuel = 1070 + 70;
constexpr uint32_t store_everywhere_fuel = 530 + 70;
constexpr uint32_t reset_fuel = 330 + 60;
constexpr uint32_t draw_fuel = 2380;
constexpr uint32_t seed_fuel = 1210;
constexpr uint32_t watch_fuel = 32;

constexpr uint32_t memory_end = 4u << 20;

typedef uint8_t Bytes __attribute__((vector_size(16)));
typedef uint8_t Bytes_anywhere __attribute__((vector_size(16), aligned(1)));
typedef int8_t Signed __attribute__((vector_size(16)));

uint32_t heap_next;

inline Bytes load(uint8_t const* from)
{
	return *reinterpret_cast<Bytes_anywhere const*>(from);
}

inline void store(uint8_t* to, Bytes value)
{
	*reinterpret_cast<Bytes_anywhere*>(to) = value;
}

neckar::Action_entry& note(uint32_t action, uint32_t index)
{
	neckar::Port& port = neckar_port;
	if (port.journal_length >= neckar::journal_capacity) {
		host_flush();
	}
	neckar::Action_entry& entry = port.journal[port.journal_length++ % neckar::journal_capacity];
	entry.action = action;
	entry.index = index;
	entry.cycles = port.cycles;
	return entry;
}

inline uint8_t* noted_row()
{
	return neckar_port.journal_row[(neckar_port.journal_length - 1) % neckar::journal_capacity];
}

inline void interleave(uint8_t const* even, uint8_t const* odd, uint32_t i, Bytes& low, Bytes& high)
{
	Bytes const e = load(even + i), o = load(odd + i);
	low = __builtin_shufflevector(e, o, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
	high = __builtin_shufflevector(e, o, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

inline bool is_everywhere(neckar::Halves const* mask)
{
	Signed least = (Signed) load(mask->even);
#pragma clang loop unroll(full)
	for (uint32_t i = 0; i < neckar::column_count; i += 16) {
		least = __builtin_elementwise_min(least, (Signed) load(mask->even + i)); // odd follows even
	}
	return __builtin_reduce_and((Bytes)(least > Signed{})) != 0;
}

inline void copy_natural(uint8_t* to, neckar::Halves const* from)
{
	for (uint32_t i = 0; i < neckar::column_count / 2; i += 16) {
		Bytes low, high;
		interleave(from->even, from->odd, i, low, high);
		store(to + 2 * i, low);
		store(to + 2 * i + 16, high);
	}
}

} // namespace

extern "C" {

[[noreturn]] void neckar_fail(uint32_t reason, uint32_t first, uint32_t second)
{
	neckar_port.reason = reason;
	neckar_port.detail[0] = first;
	neckar_port.detail[1] = second;
	__builtin_trap();
}

__attribute__((noinline)) void neckar_load_row(uint8_t const* row, neckar::Halves* to)
{
	uint32_t const number = static_cast<uint32_t>(row - neckar_port.weights[0]) / neckar::column_count; // labels and sensors follow
	if (number < sizeof(neckar_port.touched)) {
		neckar_port.touched[0][number] = 1;
	}
#pragma clang loop unroll(full)
	for (uint32_t i = 0; i < neckar::column_count / 2; i += 16) {
		Bytes const low = load(row + 2 * i), high = load(row + 2 * i + 16);
		store(to->even + i, __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30));
		store(to->odd + i, __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31));
	}
	neckar_port.cycles += 2 * register_cycles;
	neckar_port.charged_fuel += load_fuel;
}

__attribute__((noinline)) void neckar_store_row(uint32_t action, uint32_t row, neckar::Halves const* from, neckar::Halves const* mask)
{
	neckar::Port& port = neckar_port;
	port.cycles += 2 * register_cycles;
	bool const is_switch = action == neckar::write_weights && row == neckar::row_count;
	if (row >= neckar::row_count && !is_switch) {
		neckar_fail(neckar::wrong_row, row, neckar::row_count);
	}
	uint8_t* const plane = is_switch ? port.neuron_switch : action == neckar::write_weights ? port.weights[row] : port.labels[row];
	uint8_t const keep = is_switch ? 0xff : 0x3f;
	Signed const zero{};
	Bytes differs{};
	if (!is_switch && is_everywhere(mask)) {
#pragma clang loop unroll(full)
		for (uint32_t i = 0; i < neckar::column_count / 2; i += 16) {
			Bytes low, high;
			interleave(from->even, from->odd, i, low, high);
			store(plane + 2 * i, low & keep);
			store(plane + 2 * i + 16, high & keep);
		}
		port.charged_fuel += store_everywhere_fuel;
	} else {
		for (uint32_t i = 0; i < neckar::column_count / 2; i += 16) {
			Bytes value[2], chosen[2];
			interleave(from->even, from->odd, i, value[0], value[1]);
			interleave(mask->even, mask->odd, i, chosen[0], chosen[1]);
			for (uint32_t k = 0; k < 2; ++k) {
				Bytes const select = (Bytes)((Signed) chosen[k] > zero);
				uint8_t* const place = plane + 2 * i + 16 * k;
				Bytes const before = load(place), after = (value[k] & keep & select) | (before & ~select);
				differs |= before ^ after;
				store(place, after);
			}
		}
		port.charged_fuel += store_fuel;
	}
	if (is_switch && __builtin_reduce_or(differs)) {
		__builtin_memset(port.sensor_valid[neckar::causal], 0, neckar::row_count);
	} else if (!is_switch) {
		note(action, row);
		if (!port.instant) {
			__builtin_memcpy(noted_row(), plane, neckar::column_count);
		}
	}
}

void neckar_reset_sensors(uint32_t row, neckar::Halves const* mask)
{
	if (row >= neckar::row_count) {
		neckar_fail(neckar::wrong_row, row, neckar::row_count);
	}
	neckar_port.cycles += 2 * register_cycles;
	neckar_port.sensor_valid[0][row] = neckar_port.sensor_valid[1][row] = 0;
	neckar_port.charged_fuel += reset_fuel;
	note(neckar::reset_sensors, row);
	copy_natural(noted_row(), mask);
}

void neckar_reset_membranes(neckar::Halves const* mask)
{
	neckar_port.cycles += 2 * register_cycles;
	neckar_port.charged_fuel += reset_fuel;
	note(neckar::reset_membranes, 0);
	copy_natural(noted_row(), mask);
}

void neckar_reset_counter(uint32_t circuit)
{
	neckar_port.cycles += bus_cycles;
	note(neckar::reset_counter, circuit);
}

void neckar_observe(uint32_t view, uint32_t row, neckar::Halves* to)
{
	neckar::Port& port = neckar_port;
	if (row >= neckar::row_count) {
		neckar_fail(neckar::wrong_row, row, neckar::row_count);
	}
	view &= 1;
	if (!(port.instant && port.sensor_valid[view][row])) {
		host_observe(view, row);
	}
	neckar_load_row(port.sensors[view][row], to);
	port.cycles += conversion_cycles - 2 * register_cycles;
}

void neckar_count(uint32_t number, bool reset)
{
	host_observe(reset ? neckar::counters_and_reset : neckar::counters, 0);
	__builtin_memset(neckar_port.count_mask, 0, sizeof(neckar_port.count_mask));
	neckar_port.cycles += static_cast<uint64_t>(number) * (reset ? 2 : 1) * bus_cycles;
}

void neckar_seed(uint32_t half, uint8_t const* from)
{
	for (uint32_t i = 0; i < neckar::column_count / 2; ++i) {
		neckar_port.random[2 * i + half] = from[i];
	}
	neckar_port.cycles += register_cycles;
	neckar_port.charged_fuel += seed_fuel;
}

void neckar_draw(uint32_t half, uint8_t* to)
{
	for (uint32_t i = 0; i < neckar::column_count / 2; ++i) {
		uint16_t& state = neckar_port.random[2 * i + half];
		state = static_cast<uint16_t>(state << 1) | __builtin_parity(state & neckar::taps[2 * i + half]);
		to[i] = static_cast<uint8_t>(state);
	}
	neckar_port.cycles += register_cycles;
	neckar_port.charged_fuel += draw_fuel;
}

uint64_t neckar_time()
{
	return host_time();
}

void neckar_sleep(uint32_t cycles)
{
	neckar_port.cycles += cycles;
}

uint32_t neckar_mail(char const* text, uint32_t length)
{
	uint32_t& used = neckar_port.mailbox_length;
	uint32_t const left = used < neckar::mailbox_capacity ? neckar::mailbox_capacity - used : 0;
	uint32_t const taken = length < left ? length : left;
	__builtin_memcpy(neckar_port.mailbox + used, text, taken);
	used += taken;
	return taken;
}

// what it takes is the same whether the host listens or not: the host gives back what the call takes
EXPORT_FUNCTION __attribute__((noinline)) void neckar_watch(char const* name, uint32_t line, uint32_t kind, void const* values, uint32_t number)
{
	++neckar_port.watches;
	neckar_port.charged_fuel += watch_fuel;
	if (neckar_port.watching) {
		host_watch(name, line, kind, values, number);
	}
}

__attribute__((noreturn)) void exit(int code)
{
	neckar_fail(neckar::exited, code, 0);
}

__attribute__((noreturn)) void abort()
{
	neckar_fail(neckar::aborted, 0, 0);
}

[[noreturn]] void __cxa_pure_virtual()
{
	neckar_fail(neckar::aborted, 1, 0);
}

int __cxa_atexit(void (*)(void*), void*, void*)
{
	return 0; // the processor never leaves its main loop
}

static void* take(size_t size, size_t alignment)
{
	if (heap_next == 0) {
		heap_next = reinterpret_cast<uint32_t>(&__heap_base);
	}
	uint32_t const start = (heap_next + alignment - 1) & ~(alignment - 1);
	if (start < heap_next || size > memory_end - start || start > memory_end) {
		neckar_fail(neckar::no_memory, size, start > memory_end ? 0 : memory_end - start);
	}
	heap_next = start + size;
	neckar_port.heap_used = heap_next - reinterpret_cast<uint32_t>(&__heap_base);
	return reinterpret_cast<void*>(start);
}

// memory is never given back, as on the processor
void* malloc(size_t size)
{
	return take(size, 16);
}

void free(void*) {}

void* calloc(size_t number, size_t size)
{
	if (size && number > memory_end / size) {
		neckar_fail(neckar::no_memory, memory_end, 0);
	}
	return take(number * size, 16); // fresh memory is zero
}

void* memcpy(void* to, void const* from, size_t size)
{
	uint8_t* target = static_cast<uint8_t*>(to);
	uint8_t const* source = static_cast<uint8_t const*>(from);
	for (; size >= 16; size -= 16, target += 16, source += 16) {
		store(target, load(source));
	}
	while (size--) {
		*target++ = *source++;
	}
	return to;
}

void* memmove(void* to, void const* from, size_t size)
{
	uint8_t* target = static_cast<uint8_t*>(to);
	uint8_t const* source = static_cast<uint8_t const*>(from);
	if (target <= source) {
		return memcpy(to, from, size);
	}
	while (size--) {
		target[size] = source[size];
	}
	return to;
}

void* memset(void* to, int value, size_t size)
{
	uint8_t* target = static_cast<uint8_t*>(to);
	while (size--) {
		*target++ = static_cast<uint8_t>(value);
	}
	return to;
}

int memcmp(void const* a, void const* b, size_t size)
{
	uint8_t const* first = static_cast<uint8_t const*>(a);
	uint8_t const* second = static_cast<uint8_t const*>(b);
	for (; size--; ++first, ++second) {
		if (*first != *second) {
			return *first < *second ? -1 : 1;
		}
	}
	return 0;
}

size_t strlen(char const* text)
{
	size_t length = 0;
	while (text[length]) {
		++length;
	}
	return length;
}

EXPORT_FUNCTION void neckar_boot()
{
	__wasm_call_ctors();
}

// begin and end of the variables that both processors share: in block RAM, in DRAM
EXPORT_FUNCTION uint32_t neckar_shared(uint32_t i)
{
	unsigned char const* const bounds[] = {&__start_neckar_ext, &__stop_neckar_ext, &__start_neckar_dram, &__stop_neckar_dram};
	return reinterpret_cast<uint32_t>(bounds[i & 3]);
}

EXPORT_FUNCTION uint8_t* neckar_take(uint32_t size)
{
	return static_cast<uint8_t*>(take(size, 16));
}
}

void* operator new(size_t size)
{
	return take(size, 16);
}

void* operator new[](size_t size)
{
	return take(size, 16);
}

void* operator new(size_t size, std::align_val_t alignment)
{
	return take(size, static_cast<size_t>(alignment));
}

void* operator new[](size_t size, std::align_val_t alignment)
{
	return take(size, static_cast<size_t>(alignment));
}

void operator delete(void*) noexcept {}
void operator delete[](void*) noexcept {}
void operator delete(void*, size_t) noexcept {}
void operator delete[](void*, size_t) noexcept {}
void operator delete(void*, std::align_val_t) noexcept {}
void operator delete[](void*, std::align_val_t) noexcept {}
void operator delete(void*, size_t, std::align_val_t) noexcept {}
void operator delete[](void*, size_t, std::align_val_t) noexcept {}

// what the standard library calls instead of throwing
_LIBCPP_BEGIN_NAMESPACE_STD
[[noreturn]] void __libcpp_verbose_abort(char const*, ...) noexcept
{
	neckar_fail(neckar::aborted, 2, 0);
}

// the library keeps the sorting of plain numbers to itself
template <class Compare, class Iterator>
void __sort(Iterator first, Iterator last, Compare)
{
	std::make_heap(first, last);
	std::sort_heap(first, last);
}

#define NECKAR_SORT(T) template void __sort<__less<T>&, T*>(T*, T*, __less<T>&);
NECKAR_SORT(char)
NECKAR_SORT(signed char)
NECKAR_SORT(unsigned char)
NECKAR_SORT(short)
NECKAR_SORT(unsigned short)
NECKAR_SORT(int)
NECKAR_SORT(unsigned)
NECKAR_SORT(long)
NECKAR_SORT(unsigned long)
NECKAR_SORT(long long)
NECKAR_SORT(unsigned long long)
NECKAR_SORT(float)
NECKAR_SORT(double)
_LIBCPP_END_NAMESPACE_STD
