// The work that every program does for an item, in C and C++. Sources/Kernel has the same in Swift.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t kernel_spin(uint64_t seed, uint64_t rounds) {
  uint64_t x = seed | 1;
  for (uint64_t round = 0; round < rounds; round++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
  }
  return x;
}

static inline uint64_t kernel_splitmix(uint64_t *state) {
  uint64_t z = *state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

// The rounds of W2's items.
enum { KERNEL_PARETO_COUNT = 20000 };
static inline void kernel_pareto(uint64_t *rounds) {
  const uint64_t least = 7500;
  uint64_t state = 42;
  for (int i = 0; i < KERNEL_PARETO_COUNT; i++) {
    uint64_t cost = (least << 32) / ((kernel_splitmix(&state) >> 32) + 1);
    rounds[i] = cost < 2000 * least ? cost : 2000 * least;
  }
}

// W4's buffers; sizes are multiples of eight.
static inline void kernel_fill(uint8_t *bytes, size_t size, uint64_t seed) {
  for (size_t i = 0; i < size; i += 8) {
    uint64_t word = kernel_splitmix(&seed);
    memcpy(bytes + i, &word, 8);
  }
}

static inline void kernel_xor(uint8_t *target, const uint8_t *source, size_t size) {
  for (size_t i = 0; i < size; i += 8) {
    uint64_t word;
    memcpy(&word, source + i, 8);
    word ^= 0x5A5A5A5A5A5A5A5Au;
    memcpy(target + i, &word, 8);
  }
}

static inline uint64_t kernel_sum(const uint8_t *bytes, size_t size) {
  uint64_t sum = 0;
  for (size_t i = 0; i < size; i += 8) {
    uint64_t word;
    memcpy(&word, bytes + i, 8);
    sum += word;
  }
  return sum;
}
