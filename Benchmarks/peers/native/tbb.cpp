// The peer `tbb`: parallel_for of oneTBB.
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_pipeline.h>

#include "peer.hpp"

namespace tbb = oneapi::tbb;
using Range = tbb::blocked_range<size_t>;

// W7: four stages in order, and with any stage on any worker.
static void pipelines(const Peer &peer) {
  auto same = [](uint64_t result) { return result; };
  peer.measure("W7.trivial", 59998901280u, [] {
    int64_t next = 0, total = 0;
    auto serial = tbb::filter_mode::serial_in_order;
    tbb::parallel_pipeline(64, tbb::make_filter<void, int64_t>(serial, [&](tbb::flow_control &control) -> int64_t {
        if (next == 200000) return control.stop(), 0;
        return next++;
      }) & tbb::make_filter<int64_t, int64_t>(serial, [](int64_t x) { return x + 1; })
        & tbb::make_filter<int64_t, int64_t>(serial, [](int64_t x) { return x * 3; })
        & tbb::make_filter<int64_t, int64_t>(serial, [](int64_t x) { return x ^ 0x55; })
        & tbb::make_filter<int64_t, int64_t>(serial, [](int64_t x) { return x - 7; })
        & tbb::make_filter<int64_t, void>(serial, [&](int64_t x) { total += x; }));
    return (uint64_t)total;
  }, same);
  for (bool parallel : {false, true}) {
    auto mode = parallel ? tbb::filter_mode::parallel : tbb::filter_mode::serial_in_order;
    peer.measure(parallel ? "W7.cpu.all_parallel" : "W7.cpu", 3521433517011615559u, [=] {
      uint64_t next = 0, total = 0;
      auto stage = [=](uint64_t rounds) {
        return tbb::make_filter<uint64_t, uint64_t>(mode, [=](uint64_t x) { return kernel_spin(x, rounds); });
      };
      auto serial = tbb::filter_mode::serial_in_order;
      tbb::parallel_pipeline(64, tbb::make_filter<void, uint64_t>(serial, [&](tbb::flow_control &control) -> uint64_t {
          if (next == 20000) return control.stop(), 0;
          return ++next;
        }) & stage(7000) & stage(7000) & stage(42000) & stage(7000)
          & tbb::make_filter<uint64_t, void>(serial, [&](uint64_t x) { total ^= x; }));
      return total;
    }, same);
  }
}

int main(int count, char **words) {
  Peer peer(count, words);
  tbb::global_control control(tbb::global_control::max_allowed_parallelism, 2);
  if (peer.workload == "W1") {
    TinyMap map(peer);
    map.serial();
    auto body = [](int64_t *output, const int64_t *input) {
      return [=](const Range &range) {
        for (size_t i = range.begin(); i != range.end(); i++) output[i] = TinyMap::square(input[i]);
      };
    };
    auto parallel = [=](int64_t *output, const int64_t *input, size_t count) {
      tbb::parallel_for(Range(0, count), body(output, input));
    };
    map.fresh("W1.fresh", parallel);
    map.reuse("W1.reuse", parallel);
    map.reuse("W1.item", [=](int64_t *output, const int64_t *input, size_t count) {
      tbb::parallel_for(Range(0, count, 1), body(output, input), tbb::simple_partitioner());
    }, TinyMap::items);
    return 0;
  }
  auto square = [](int64_t *output, size_t count) {
    tbb::parallel_for(Range(0, count), [=](const Range &range) {
      for (size_t i = range.begin(); i != range.end(); i++) output[i] = TinyMap::square((int64_t)i);
    });
  };
  if (peer.workload == "W7") return pipelines(peer), 0;
  if (peer.workload == "W11") return smallCalls(peer, "W11.one", 2, 10000, square), 0;
  if (peer.workload == "W14") {
    smallCalls(peer, "W14.thousand", 1000, 512, square);
    smallCalls(peer, "W14.one", 1, 2048, square);
    return 0;
  }
  if (peer.workload == "W12") {
    NestedMaps::measure(peer, [](uint64_t *results) {
      tbb::parallel_for(size_t(0), size_t(100), [=](size_t outer) {
        tbb::parallel_for(size_t(0), size_t(100), [=](size_t inner) {
          results[outer * 100 + inner] = NestedMaps::item(outer * 100 + inner);
        });
      });
    });
    return 0;
  }
  if (peer.workload == "W13") {
    TinyMap map(peer);
    map.fresh("W13", [](int64_t *output, const int64_t *input, size_t count) {
      tbb::parallel_for(Range(0, count), [=](const Range &range) {
        for (size_t i = range.begin(); i != range.end(); i++) output[i] = TinyMap::square(input[i]);
      });
    });
    return 0;
  }
  for (bool ascending : {false, true}) {
    IrregularMap map(peer, ascending);
    map.serial();
    map.measure("default", [&](uint64_t *results, size_t count) {
      tbb::parallel_for(size_t(0), count, [&](size_t i) { results[i] = map.item(i); });
    });
    map.measure("one_by_one", [&](uint64_t *results, size_t count) {
      tbb::parallel_for(Range(0, count, 1), [&](const Range &range) {
        for (size_t i = range.begin(); i != range.end(); i++) results[i] = map.item(i);
      }, tbb::simple_partitioner());
    });
  }
}
