// The peer `openmp`: parallel loops of OpenMP.
#include <omp.h>

#include "peer.hpp"

static void parallel(int64_t *output, const int64_t *input, size_t count) {
#pragma omp parallel for
  for (size_t i = 0; i < count; i++) output[i] = TinyMap::square(input[i]);
}

static void oneByOne(int64_t *output, const int64_t *input, size_t count) {
#pragma omp parallel for schedule(dynamic, 1)
  for (size_t i = 0; i < count; i++) output[i] = TinyMap::square(input[i]);
}

int main(int count, char **words) {
  Peer peer(count, words);
  omp_set_num_threads(2);
  if (peer.workload == "W1") {
    TinyMap map(peer);
    map.serial();
    map.fresh("W1.fresh", parallel);
    map.reuse("W1.reuse", parallel);
    map.reuse("W1.item", oneByOne, TinyMap::items);
    return 0;
  }
  if (peer.workload == "W13") {
    TinyMap map(peer);
    map.fresh("W13", parallel);
    return 0;
  }
  for (bool ascending : {false, true}) {
    IrregularMap map(peer, ascending);
    map.serial();
    map.measure("default", [&](uint64_t *results, size_t count) {
#pragma omp parallel for
      for (size_t i = 0; i < count; i++) results[i] = map.item(i);
    });
    map.measure("dynamic", [&](uint64_t *results, size_t count) {
#pragma omp parallel for schedule(dynamic, 1)
      for (size_t i = 0; i < count; i++) results[i] = map.item(i);
    });
    map.measure("guided", [&](uint64_t *results, size_t count) {
#pragma omp parallel for schedule(guided)
      for (size_t i = 0; i < count; i++) results[i] = map.item(i);
    });
  }
}
