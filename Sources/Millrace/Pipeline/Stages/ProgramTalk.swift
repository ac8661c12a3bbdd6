import MillraceIPC

/// How a program has ended.
package enum ProgramEnd: Sendable, Hashable {
  case exited(Int)
  case signalled(Int)
  case unknown
}

/// A program that a stage talks to: what blocks is done on a thread of its own, and cancelling whoever waits ends the program.
package final class ProgramTalk: Sendable {
  private let arguments: [String]
  private let program: ChildProgram
  private let thread: BlockingThread

  private init(_ arguments: [String], _ program: ChildProgram, _ thread: BlockingThread) {
    (self.arguments, self.program, self.thread) = (arguments, program, thread)
  }

  /// Starts it.
  ///
  /// - Throws: An ``InvalidOption`` for what no program can be given, a ``SystemError`` if it cannot be started.
  package static func start(
    _ arguments: [String], environment: [String: String] = [:], folder: String? = nil
  ) async throws -> ProgramTalk {
    try check(arguments, environment: environment, folder: folder)
    let thread = BlockingThread("millrace-program")
    let program = try await thread.run {
      do throws(ChildProgram.Problem) {
        return try ChildProgram(arguments, environment: variables(environment), folder: folder)
      } catch {
        throw error.forUsers
      }
    }
    return ProgramTalk(arguments, program, thread)
  }

  /// Throws an ``InvalidOption`` for what no program can be given.
  package static func check(
    _ arguments: [String], environment: [String: String] = [:], folder: String? = nil
  ) throws(InvalidOption) {
    guard let name = arguments.first, !name.isEmpty else {
      throw InvalidOption(name: "a program", value: "\"\"", allowed: "named")
    }
    for text in arguments where text.utf8.contains(0) {
      throw InvalidOption(name: "an argument of \(name)", value: "one with a NUL in it", allowed: "without")
    }
    if let folder { try checkPath("the folder of \(name)", folder) }
    for (variable, value) in environment {
      guard !variable.isEmpty, !variable.utf8.contains(0), !variable.utf8.contains(UInt8(ascii: "=")),
        !value.utf8.contains(0)
      else {
        throw InvalidOption(
          name: "an environment variable of \(name)", value: variable.debugDescription,
          allowed: "a name without \"=\" and NUL, and a value without NUL")
      }
    }
  }

  /// Those of this process, and these.
  private static func variables(_ more: [String: String]) -> [[UInt8]]? {
    if more.isEmpty { return nil }
    let own = ChildProgram.ownEnvironment.filter { variable in
      !more.keys.contains { variable.starts(with: "\($0)=".utf8) }
    }
    return own + more.sorted { $0.key < $1.key }.map { Array("\($0.key)=\($0.value)".utf8) }
  }

  private func run<R: Sendable>(_ body: @escaping @Sendable (ChildProgram) throws(ChildProgram.Problem) -> R)
    async throws -> R
  {
    let program = program
    return try await withTaskCancellationHandler {
      try await thread.run {
        do throws(ChildProgram.Problem) { return try body(program) } catch { throw error.forUsers }
      }
    } onCancel: {
      program.cancel()
    }
  }

  /// Writes to it, and gives what has come out meanwhile; nil: it reads no more.
  package func write(_ bytes: [UInt8]) async throws -> [UInt8]? {
    try await run { program throws(ChildProgram.Problem) in try program.write(bytes) ? program.takeOutput() : nil }
  }

  /// No more is written to it.
  package func endInput() async throws { try await run { $0.endInput() } }

  /// The next of what comes out; nil: there is no more.
  package func read() async throws -> [UInt8]? {
    try await run { program throws(ChildProgram.Problem) in try program.readOutput() }
  }

  /// Ends its input, and waits for its end. What has come out is given; where it has not ended well, that is thrown.
  package func finish() async throws -> [UInt8] {
    let (end, output) = try await run { program throws(ChildProgram.Problem) in
      (try program.waitForEnd(), program.takeOutput())
    }
    if case .exited(code: 0) = end { return output }
    let told: ProgramEnd =
      switch end {
      case .exited(let code): .exited(Int(code))
      case .signalled(let number, _): .signalled(Int(number))
      case .unknown: .unknown
      }
    throw ProgramFailure(
      arguments, told, standardOutput: String(decoding: output, as: UTF8.self), standardError: program.errorText)
  }
}

extension ChildProgram.Problem {
  fileprivate var forUsers: any Error {
    switch self {
    case .system(let error): SystemError(error.call, error.code)
    case .cancelled: CancellationError()
    }
  }
}
