// What the C++ peers share: the contract's lines, and W1 and W2 around the loops that a peer has.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "kernel.h"

struct Peer {
  std::string workload;
  int repetitions = 0;

  Peer(int count, char **words) {
    if (count == 3) workload = words[1], repetitions = std::atoi(words[2]);
    if (workload.empty() || repetitions < 1) {
      std::fprintf(stderr, "usage: PEER WORKLOAD REPS\n");
      std::exit(64);
    }
  }

  // Times `body`, which returns (or fills) what `checksum` is then made of.
  template <class Body, class Checksum>
  void measure(const std::string &variant, uint64_t expected, Body body, Checksum checksum) const {
    for (int repetition = 0; repetition < repetitions; repetition++) {
      auto start = std::chrono::steady_clock::now();
      auto output = body();
      std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
      std::printf("R %s seconds s %.9g\n", variant.c_str(), time.count());
      unsigned long long sum = checksum(output);
      if (repetition == 0) std::printf("C %s %llu\n", variant.c_str(), sum);
      if (sum != expected) std::printf("E %s: the checksum is wrong\n", variant.c_str());
    }
  }
};

// W11 and W14: many small calls. `call(output, count)` fills the output with squares; the time is that of one call.
template <class Call> void smallCalls(const Peer &peer, const char *variant, size_t items, int maps, Call call) {
  for (int repetition = 0; repetition < peer.repetitions; repetition++) {
    bool right = true;
    auto start = std::chrono::steady_clock::now();
    for (int map = 0; map < maps; map++) {
      std::vector<int64_t> output(items);
      call(output.data(), items);
      right = right && output[items - 1] == (int64_t)((items - 1) * (items - 1) + 1);
    }
    std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    std::printf("R %s seconds s %.9g\n", variant, time.count() / maps);
    if (!right) std::printf("E %s: wrong results\n", variant);
  }
}

// W12: 100 outer items of 100 inner ones. `nested(results)` fills 10,000 of them by `item`.
struct NestedMaps {
  static uint64_t item(size_t i) { return kernel_spin(i * 0x9E3779B97F4A7C15u, 6280); }  // spread, for the kernel is linear

  template <class Nested> static void measure(const Peer &peer, Nested nested) {
    auto checksum = [](auto &results) {
      uint64_t all = 0;
      for (auto result : results) all ^= result;
      return all;
    };
    std::vector<uint64_t> right(10000);
    for (size_t i = 0; i < right.size(); i++) right[i] = item(i);
    uint64_t expected = checksum(right);
    peer.measure("W12.nested.serial", expected, [] {
      std::vector<uint64_t> results(10000);
      for (size_t i = 0; i < results.size(); i++) results[i] = item(i);
      return results;
    }, checksum);
    peer.measure("W12.nested.inner", expected, [&] {
      std::vector<uint64_t> results(10000);
      nested(results.data());
      return results;
    }, checksum);
  }
};

struct TinyMap {
  static constexpr size_t count = 10000000, items = 1000000;
  static constexpr uint64_t checksum = 1291890006573070912u, itemChecksum = 333332833334500000u;
  const Peer &peer;
  std::vector<int64_t> input;
  std::vector<int64_t> kept;

  explicit TinyMap(const Peer &peer) : peer(peer), input(count), kept(count) {
    for (size_t i = 0; i < count; i++) input[i] = (int64_t)i;
  }

  static int64_t square(int64_t x) { return x * x + 1; }

  static uint64_t sum(const int64_t *output, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += (uint64_t)output[i];
    return sum;
  }

  // `loop(output, input, count)`
  template <class Loop> void fresh(const char *variant, Loop loop) const {
    peer.measure(variant, checksum, [&] {
      std::unique_ptr<int64_t[]> output(new int64_t[count]);  // not touched
      loop(output.get(), input.data(), count);
      return output;
    }, [](auto &output) { return sum(output.get(), count); });
  }

  template <class Loop> void reuse(const char *variant, Loop loop, size_t count = TinyMap::count) {
    std::fill(kept.begin(), kept.end(), 1);
    peer.measure(variant, count == items ? itemChecksum : checksum, [&] {
      loop(kept.data(), input.data(), count);
      return kept.data();
    }, [&](const int64_t *output) { return sum(output, count); });
  }

  void serial() {
    auto loop = [](int64_t *output, const int64_t *input, size_t count) {
      for (size_t i = 0; i < count; i++) output[i] = square(input[i]);
    };
    fresh("W1.fresh.serial", loop);
    reuse("W1.reuse.serial", loop);
  }
};

struct IrregularMap {
  const Peer &peer;
  std::string order;
  uint64_t checksum;
  std::vector<uint64_t> rounds;

  IrregularMap(const Peer &peer, bool ascending)
      : peer(peer), order(ascending ? "ascending" : "shuffled"),
        checksum(ascending ? 4476588077045495321u : 7601073114737665251u), rounds(KERNEL_PARETO_COUNT) {
    kernel_pareto(rounds.data());
    if (ascending) std::sort(rounds.begin(), rounds.end());
  }

  uint64_t item(size_t i) const { return kernel_spin(i + 1, rounds[i]); }

  // `loop(results, count)`
  template <class Loop> void measure(const char *variant, Loop loop) const {
    peer.measure("W2." + order + "." + variant, checksum, [&] {
      std::vector<uint64_t> results(rounds.size());
      loop(results.data(), results.size());
      return results;
    }, [](auto &results) {
      uint64_t all = 0;
      for (auto result : results) all ^= result;
      return all;
    });
  }

  void serial() const {
    measure("serial", [&](uint64_t *results, size_t count) {
      for (size_t i = 0; i < count; i++) results[i] = item(i);
    });
  }
};
