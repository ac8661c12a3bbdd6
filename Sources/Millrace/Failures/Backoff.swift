extension MapOptions {
  /// How long to wait before an item is tried again.
  ///
  /// Delays are jittered between half and the whole of their length, so that items that failed together do not come back
  /// together (after "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: "equal jitter").
  public struct Backoff: Sendable, Hashable {
    /// The delay before the first retry.
    public var initial: Duration
    /// By what the delay grows with each retry.
    public var factor: Double
    /// The longest delay; not below the first.
    public var maximum: Duration

    /// At once.
    public static let none = Backoff(initial: .zero, factor: 1, maximum: .zero)

    /// The same delay before each retry.
    public static func constant(_ delay: Duration) -> Backoff {
      Backoff(initial: delay, factor: 1, maximum: delay)
    }

    /// A delay that doubles with each retry, up to a maximum (default 30 s).
    public static func exponential(_ initial: Duration, maximum: Duration = .seconds(30)) -> Backoff {
      Backoff(initial: initial, factor: 2, maximum: maximum)
    }

    func validate() throws {
      for (name, delay) in [("initial", initial), ("maximum", maximum)] where delay < .zero {
        throw InvalidOption(name: "retry.backoff.\(name)", value: "\(delay)", allowed: "at least zero")
      }
      guard factor >= 1 else {
        throw InvalidOption(name: "retry.backoff.factor", value: "\(factor)", allowed: "at least 1")
      }
      guard initial <= maximum else {
        throw InvalidOption(
          name: "retry.backoff.maximum", value: "\(maximum)", allowed: "at least the first delay, \(initial)")
      }
    }

    /// The delay in nanoseconds before an attempt (2 for the first retry), jittered by what `random` holds.
    func nanoseconds(beforeAttempt attempt: Int, random: UInt64) -> UInt64 {
      guard initial > .zero else { return 0 }
      let longest = Double(maximum.nanoseconds)
      var delay = Double(max(1, initial.nanoseconds))
      if factor > 1 {
        for _ in 2..<max(2, attempt) {
          guard delay < longest else { break }
          delay *= factor
        }
      }
      delay = min(delay, longest)
      let fraction = Double(random >> 11) / Double(UInt64(1) << 53)
      return UInt64(delay * (0.5 + 0.5 * fraction))
    }
  }
}

extension Duration {
  /// The length in nanoseconds, from 0 to a century, so that any time of now can be added.
  package var nanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    guard seconds < 3_155_760_000 else { return 3_155_760_000_000_000_000 }
    return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
  }
}

/// One step of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
package func splitMix64(_ state: inout UInt64) -> UInt64 {
  state &+= 0x9E37_79B9_7F4A_7C15
  var z = state
  z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
  return z ^ (z >> 31)
}
