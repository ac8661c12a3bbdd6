/// What became of an item that has no output: which item, where, at which attempt, and why.
///
/// Its text is `"\(failure)"`; `localizedDescription`, which is Foundation's, does not know it.
public struct ItemFailure: Error, Sendable {
  /// Why an item failed.
  @nonexhaustive
  public enum Cause: Sendable {
    /// The worker's `process` threw. On threads, tasks and in serial pools this is the original error; from a worker
    /// process it is the original value if it is `Codable`, an enumeration whose cases carry nothing, or an error of Millrace's,
    /// otherwise a ``RemoteError`` with its type and text.
    case threw(any Error)
    /// The worker died of a signal while the item was running.
    case crashed(Crash)
    /// User code ended the worker (`exit`) while the item was running. The code is -1 if nobody knows it: something else in
    /// the program has waited for the process.
    case exited(code: Int32)
    /// The item ran longer than the limit.
    case timedOut(limit: Duration)
    /// No worker could be set up, so the item never ran: with what `setUp` threw, as it would be in `threw`, or a ``WorkerFailure``.
    case setUpFailed(any Error)
    /// The item's input could not be encoded or decoded, or its output could not be brought back: with what its `encode(to:)` or
    /// `init(from:)` threw (an `EncodingError`, a `DecodingError`, an error of yours, or a ``RemoteError`` in place of it), a
    /// ``TransportError``, or a ``SystemError``.
    case undecodable(any Error)
    /// The item has crashed its worker `crashes` times, and is not tried again.
    indirect case quarantined(crashes: Int, last: Cause)
  }

  /// How a worker died.
  public struct Crash: Sendable, Hashable {
    /// The kinds of sudden death that are told apart.
    @nonexhaustive
    public enum Kind: String, Sendable, Hashable, Codable {
      /// A Swift trap: index out of range, overflow, forced unwrap, `fatalError`.
      case trap
      /// The stack was exhausted.
      case stackOverflow
      /// Memory was exhausted: an allocation failed, or the kernel chose the worker as its victim.
      case outOfMemory
      /// Somebody outside sent the signal.
      case killedFromOutside
      /// Any other signal that the worker's own code raised, such as a segmentation fault.
      case signal
    }

    /// What kind of death it was.
    public var kind: Kind
    /// The number of the signal, such as 4 for `SIGILL`.
    public var signal: Int32
    /// At which of its worker's parts the item was, from 1; 0: it has none, or nobody knows.
    var part: UInt64 = 0
  }

  /// The stage of a pipeline.
  public struct Stage: Sendable, Hashable {
    /// Its name, as the pipeline's layout has it.
    public var name: String
    /// Its position in the layout, from 0.
    public var position: Int

    /// Creates one.
    public init(name: String, position: Int) {
      self.name = name
      self.position = position
    }
  }

  /// The item's position in the input, from 0.
  public var index: Int
  /// The slot (worker ID) that ran it, from 0.
  public var slot: Int
  /// The attempt that failed, from 1.
  public var attempt: Int
  /// Why it failed.
  public var cause: Cause
  /// What the worker wrote to its standard error since the item began, its last lines, with Swift's backtrace after a trap; empty
  /// if nothing.
  public var standardError: String
  /// The stage at which it failed, in a pipeline. There ``index`` is that of the source's item.
  public var stage: Stage?
  /// The item itself, as the program has it; nil if nobody knows it: in a pipeline, and where the failure comes from another process. It is not
  /// part of the description.
  public var input: (any Sendable)?

  /// Creates a failure.
  public init(
    index: Int, slot: Int, attempt: Int, cause: Cause, standardError: String = "", stage: Stage? = nil
  ) {
    self.stage = stage
    self.index = index
    self.slot = slot
    self.attempt = attempt
    self.cause = cause
    self.standardError = standardError
  }

  /// The error that the cause carries, if it carries one.
  public var underlying: (any Error)? {
    switch cause {
    case .threw(let error), .setUpFailed(let error), .undecodable(let error): error
    default: nil
    }
  }
}

extension ItemFailure: CustomStringConvertible {
  /// The item, slot and attempt, the cause, and the line of a fatal error.
  public var description: String {
    let place = stage.map { " at stage \($0.name)" } ?? ""
    var text = "item \(index)\(place), slot \(slot), attempt \(attempt): \(cause)"
    if let line = standardError.fatalErrorLine { text += ", \"\(line)\"" }
    return text
  }
}

extension ItemFailure.Cause: CustomStringConvertible {
  /// What happened, in words.
  public var description: String {
    switch self {
    case .threw(let error): "threw \(error.inWords)"
    case .crashed(let crash): crash.description
    case .exited(-1): "the worker ended; something else in the program has taken its exit status"
    case .exited(let code): "the worker exited with code \(code)"
    case .timedOut(let limit): "timed out after \(limit)"
    case .setUpFailed(let error): "no worker could be set up: \(error.inWords)"
    case .undecodable(let error): "could not be sent or brought back: \(error.inWords)"
    case .quarantined(let crashes, let last): "quarantined after \(crashes) crashes, the last: \(last)"
    }
  }
}

extension Error {
  /// The error's text; that of an enumeration without one of its own is the bare name of a case, so its type is said before.
  var inWords: String {
    let text = "\(self)"
    if let remote = self as? RemoteError {
      // The name of a case, with what it carries or without.
      let first = text.prefix { $0 != "(" }
      let isName = first.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
      guard isName, first.first?.isLowercase == true else { return text }
      return "\(remote.typeName.split(separator: ".").last ?? "").\(text)"
    }
    guard Mirror(reflecting: self).displayStyle == .enum, !(self is any CustomStringConvertible),
      !(self is any CustomDebugStringConvertible)
    else { return text }
    return "\(type(of: self)).\(text)"
  }
}

extension ItemFailure.Cause {
  /// A crash, at a part of the worker's.
  func inPart(_ part: UInt64) -> Self {
    guard case .crashed(var crash) = self else { return self }
    crash.part = part
    return .crashed(crash)
  }

  /// At which part of the worker's it crashed, from 1.
  var part: UInt64 {
    switch self {
    case .crashed(let crash): crash.part
    case .quarantined(_, let last): last.part
    default: 0
    }
  }
}

extension ItemFailure.Crash: CustomStringConvertible {
  /// How the worker died, in words.
  public var description: String {
    let how =
      switch kind {
      case .trap: "trapped"
      case .stackOverflow: "overflowed its stack"
      case .outOfMemory: "ran out of memory"
      case .killedFromOutside: "was killed from outside"
      case .signal: "crashed"
      }
    return "the worker \(how) (\(signalName(signal)))"
  }
}

extension String {
  /// The line of a worker's standard error that says what a trap was about.
  var fatalErrorLine: String? {
    let lines = split(whereSeparator: \.isNewline)
    let line = lines.last { $0.isTrapMessage || $0.contains("Fatal error") || $0.hasPrefix("millrace: ") }
    return line.map { String($0.prefix(400)) }
  }
}

extension StringProtocol {
  /// Whether the line is what Swift says of a trap, behind the place of which it speaks or without one:
  /// `Module/File.swift:3: Precondition failed: …`.
  var isTrapMessage: Bool {
    let parts = split(separator: " ", maxSplits: 1)
    let hasPlace = parts.count == 2 && parts[0].contains(".swift:") && parts[0].last == ":"
    let text = hasPlace ? String(parts[1]) : String(self)
    return ["Fatal error", "Precondition failed", "Assertion failed"].contains { text.hasPrefix($0) }
  }
}

/// The usual name of a signal, or its number.
func signalName(_ signal: Int32) -> String {
  let names: [Int32: String] = [
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
    9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ",
    31: "SIGSYS",
  ]
  return names[signal] ?? "signal \(signal)"
}
