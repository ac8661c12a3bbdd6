import Millrace

/// The one source of chance of a ``Simulation``: SplitMix64, so that a seed says everything.
package struct SimulatedRandom: RandomNumberGenerator {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  /// What chance says to these numbers, whenever and however often it is asked.
  init(hash numbers: UInt64...) {
    state = 0
    for number in numbers { state = next() ^ number }
  }

  package mutating func next() -> UInt64 { splitMix64(&state) }

  mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

  mutating func within(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }

  mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

  mutating func one<Element>(of elements: [Element]) -> Element { elements[below(elements.count)] }

  /// A time of up to so many nanoseconds, often none, often short.
  mutating func time(upTo limit: UInt64) -> UInt64 {
    switch below(4) {
    case 0: 0
    case 1: next() % (limit / 100 + 1)
    case 2: next() % (limit / 10 + 1)
    default: next() % (limit + 1)
    }
  }
}
