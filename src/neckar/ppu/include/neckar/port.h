// The window between a kernel and the chip: one block of linear memory that the host reads and writes between calls of the kernel.
//
// Planes lie in natural column order. Whatever the kernel does to the chip is written into the journal with the access cycles spent so far;
// the host carries it out in order. The host trusts nothing in here.
#pragma once
#include <cstddef>
#include <cstdint>

namespace neckar {

constexpr uint32_t row_count = 256;
constexpr uint32_t column_count = 256;
constexpr uint32_t journal_capacity = 1024;
constexpr uint32_t mailbox_capacity = 4096;

enum Action : uint32_t
{
	write_weights = 0,
	write_labels = 1,
	reset_sensors = 2,
	reset_membranes = 3,
	reset_counter = 4
};

enum View : uint32_t
{
	causal = 0,
	acausal = 1,
	counters = 2,
	counters_and_reset = 3 // of the circuits in count_mask
};

enum Reason : uint32_t
{
	none = 0,
	exited = 1,       // exit(code): code
	wrong_ppu = 2,    // hemisphere of the handle, processor
	wrong_row = 3,    // index, number of rows
	wrong_column = 4, // index, number of columns
	unsupported = 5,  // what, address
	no_memory = 6,    // bytes asked for, bytes left
	aborted = 7
};

struct Action_entry
{
	uint32_t action;
	uint32_t index;
	uint64_t cycles;
};

struct Port
{
	uint64_t cycles;        // spent on access since boot
	uint64_t charged_fuel;  // instructions inside the access functions, which the cycles stand for
	uint32_t ppu;
	uint32_t instant;       // no journal of single values, planes of the sensors are read at once
	uint32_t reason;
	uint32_t detail[2];
	uint32_t journal_length;
	uint32_t mailbox_length;
	uint32_t heap_used;
	uint32_t handles;       // of the task that is called
	uint32_t watching;      // whether the host wants to see watched values
	uint32_t watches;       // watched values of this invocation
	uint32_t reserved;
	uint8_t touched[4][row_count]; // rows that were read: weights, labels, causal and acausal sensors
	uint8_t sensor_valid[2][row_count];
	uint16_t random[column_count];
	uint8_t neuron_switch[column_count];
	uint8_t count_mask[2][column_count];
	uint8_t count[2][column_count];
	uint8_t overflow[2][column_count];
	uint8_t weights[row_count][column_count];
	uint8_t labels[row_count][column_count];
	uint8_t sensors[2][row_count][column_count];
	Action_entry journal[journal_capacity];
	uint8_t journal_row[journal_capacity][column_count];
	char mailbox[mailbox_capacity];
};

// two registers, even columns first
struct Halves
{
	uint8_t even[column_count / 2];
	uint8_t odd[column_count / 2];
};

} // namespace neckar

extern "C" {
extern neckar::Port neckar_port;

[[noreturn]] void neckar_fail(uint32_t reason, uint32_t first, uint32_t second);
void neckar_load_row(uint8_t const* plane_row, neckar::Halves* to);
void neckar_store_row(uint32_t action, uint32_t row, neckar::Halves const* from, neckar::Halves const* mask);
void neckar_reset_sensors(uint32_t row, neckar::Halves const* mask);
void neckar_reset_membranes(neckar::Halves const* mask);
void neckar_reset_counter(uint32_t circuit);
void neckar_observe(uint32_t view, uint32_t row, neckar::Halves* to);
void neckar_count(uint32_t number, bool reset); // the circuits in count_mask
void neckar_draw(uint32_t half, uint8_t* to);
void neckar_seed(uint32_t half, uint8_t const* from);
uint64_t neckar_time();
void neckar_sleep(uint32_t cycles);
uint32_t neckar_mail(char const* text, uint32_t length);
void neckar_watch(char const* name, uint32_t line, uint32_t kind, void const* values, uint32_t number);
}
