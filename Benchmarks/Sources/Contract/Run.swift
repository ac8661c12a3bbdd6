#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// One call of a benchmark program: `PROGRAM WORKLOAD REPS [key=value …]`, and the lines in which it answers.
///
///     R W1.fresh seconds s 0.0231     a figure of one repetition
///     C W1.fresh 1291890006573070912  a checksum, once a variant
///     E W1.fresh: …                   something was wrong
public struct Run: Sendable {
  /// The workers that every program has, whatever the machine has.
  public static let workers = 2

  /// Which workload: `W1` to `W15`.
  public let workload: String
  /// How often each variant is measured.
  public let repetitions: Int
  private let options: [String: String]

  /// Reads the command line; ends the program with code 64 if it makes no sense.
  ///
  /// - Parameter keys: the workloads that the program has, and the keys that each of them knows. All know `only=TEXT`,
  ///   which measures just the variants that have the text in their names.
  public init(_ arguments: [String] = CommandLine.arguments, keys: [String: Set<String>]) {
    var arguments = arguments.dropFirst()
    guard let workload = arguments.popFirst(), let known = keys[workload] else {
      Self.refuse("the first argument is one of \(keys.keys.sorted().joined(separator: ", "))")
    }
    guard let repetitions = arguments.popFirst().flatMap({ Int($0) }), repetitions >= 1 else {
      Self.refuse("the second argument is the number of repetitions, at least 1")
    }
    var options: [String: String] = [:]
    for argument in arguments {
      let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, known.contains(parts[0]) || parts[0] == "only" else {
        let allowed = known.union(["only"]).sorted().map { $0 + "=…" }.joined(separator: ", ")
        Self.refuse("'\(argument)' is not one of \(allowed)")
      }
      options[parts[0]] = parts[1]
    }
    self.workload = workload
    self.repetitions = repetitions
    self.options = options
  }

  /// The value of a key; nil if it was not given.
  public subscript(_ key: String) -> String? { options[key] }

  /// The value of a key that is a whole number; ends the program with code 64 if it is none.
  public func number(_ key: String, default value: Int) -> Int {
    guard let text = options[key] else { return value }
    guard let number = Int(text), number >= 1 else { Self.refuse("\(key)=\(text): a number of at least 1 is needed") }
    return number
  }

  /// Says what is wrong with the command line, and ends the program with code 64.
  public static func refuse(_ reason: String) -> Never {
    complain("usage: WORKLOAD REPS [key=value …]: \(reason)")
    exit(64)
  }

  /// Whether a variant is to be measured.
  public func includes(_ variant: String) -> Bool { options["only"].map(variant.contains) ?? true }

  /// The repetitions of a variant, each with its clock started as its round of the loop begins.
  ///
  ///     for sample in run.samples("W1.fresh") {
  ///       let output = input.parallelMap { … }
  ///       sample.stop()
  ///       sample.check(sum(output), is: 1_291_890_006_573_070_912)
  ///     }
  ///
  /// - Parameters:
  ///   - amount: how much is done in a repetition, for a rate; nil for none.
  ///   - unit: what a rate is counted in.
  public func samples(_ variant: String, amount: Double? = nil, unit: String = "items/s") -> Samples {
    Samples(variant: variant, amount: amount, unit: unit, left: includes(variant) ? repetitions : 0)
  }

  /// Reports an error that ended the workload, and ends the program with code 1.
  public static func fail(_ reason: String) -> Never {
    say("E \(reason)")
    exit(1)
  }

  /// Prints a line at once: a worker that is forked must not inherit half of it.
  static func say(_ line: String) {
    print(line)
    fflush(nil)
  }

  private static func complain(_ text: String) {
    var line = text + "\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}

/// The repetitions of a variant. See ``Run/samples(_:amount:unit:)``.
public struct Samples: Sequence, IteratorProtocol {
  let variant: String
  let amount: Double?
  let unit: String
  var left: Int
  var isFirst = true

  /// The next repetition, whose clock has just been started.
  public mutating func next() -> Sample? {
    guard left > 0 else { return nil }
    left -= 1
    defer { isFirst = false }
    return Sample(variant: variant, amount: amount, unit: unit, isFirst: isFirst, start: SuspendingClock.now)
  }
}

/// One repetition of a variant.
public struct Sample {
  let variant: String
  let amount: Double?
  let unit: String
  /// Whether it is the variant's first one.
  public let isFirst: Bool
  let start: SuspendingClock.Instant

  /// Stops the clock and reports the time, and the rate if there is one.
  public func stop() {
    let seconds = (SuspendingClock.now - start) / .seconds(1)
    report("seconds", "s", seconds)
    if let amount { report("rate", unit, amount / seconds) }
  }

  /// Stops the clock, and reports the time that each of so many calls took.
  public func stop(per calls: Int) {
    report("seconds", "s", (SuspendingClock.now - start) / .seconds(1) / Double(calls))
  }

  /// Reports a figure.
  public func report(_ metric: String, _ unit: String, _ value: Double) {
    Run.say("R \(variant) \(metric) \(unit) \(value)")
  }

  /// Prints the checksum, once a variant, and an error if it is not as expected.
  public func check(_ checksum: UInt64, is expected: UInt64) {
    if isFirst { Run.say("C \(variant) \(checksum)") }
    check(checksum == expected, "the checksum is \(checksum), not \(expected)")
  }

  /// Prints an error if something is not as it has to be.
  public func check(_ isRight: Bool, _ reason: @autoclosure () -> String) {
    if !isRight { Run.say("E \(variant): \(reason())") }
  }
}
