// The work functions as a library, for the Python peers.
#define kernel_spin inline_spin
#define kernel_pareto inline_pareto
#define kernel_fill inline_fill
#define kernel_xor inline_xor
#define kernel_sum inline_sum
#include "kernel.h"
#undef kernel_spin
#undef kernel_pareto
#undef kernel_fill
#undef kernel_xor
#undef kernel_sum

uint64_t kernel_spin(uint64_t seed, uint64_t rounds) { return inline_spin(seed, rounds); }
void kernel_pareto(uint64_t *rounds) { inline_pareto(rounds); }
void kernel_fill(uint8_t *bytes, size_t size, uint64_t seed) { inline_fill(bytes, size, seed); }
void kernel_xor(uint8_t *target, const uint8_t *source, size_t size) { inline_xor(target, source, size); }
uint64_t kernel_sum(const uint8_t *bytes, size_t size) { return inline_sum(bytes, size); }
