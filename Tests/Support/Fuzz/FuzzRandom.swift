import Millrace

/// The one source of chance of a case: SplitMix64, so that a seed says everything.
package struct FuzzRandom {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 { splitMix64(&state) }

  package mutating func below(_ limit: Int) -> Int { limit < 2 ? 0 : Int(next() % UInt64(limit)) }

  package mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

  package mutating func one<Element>(of elements: [Element]) -> Element { elements[below(elements.count)] }

  package mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

  /// Some text, at times with characters of several bytes.
  package mutating func text(upTo limit: Int) -> String {
    let letters: [Character] = ["a", "b", "z", " ", "\n", "0", "é", "水", "🌊", "\u{0}"]
    return String((0..<below(limit + 1)).map { _ in one(of: letters) })
  }

  /// A number of any size, small ones often.
  package mutating func number() -> Int { Int(truncatingIfNeeded: next()) >> below(64) }
}
