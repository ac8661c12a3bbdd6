// The peer `tbb`: parallel_for of oneTBB.
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>

#include "peer.hpp"

namespace tbb = oneapi::tbb;
using Range = tbb::blocked_range<size_t>;

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
