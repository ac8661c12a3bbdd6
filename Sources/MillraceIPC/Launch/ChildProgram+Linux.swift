#if os(Linux)
import CMillrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Another program that runs, with pipes at its standard descriptors: what is written to it and read from it moves both ways at once,
/// so neither side waits for the other for ever.
///
/// It belongs to one thread, which may block in it; anybody may `cancel`. Letting go of it kills it, with its process group.
package final class ChildProgram: @unchecked Sendable {
  // Sound: all that changes belongs to the one who uses it; the bell may be rung by anybody.
  package enum Problem: Error {
    case system(SystemCallError)
    /// It was told to end.
    case cancelled
  }

  /// How it is waited for.
  private enum Goal {
    /// Until all was written, or it reads no more.
    case written
    /// Until something came out of it, or nothing will.
    case output
    case end
  }

  private let process: ChildProcess
  private let stop: Descriptor
  private var input: HeldDescriptor?
  private var output: HeldDescriptor?
  private var error: HeldDescriptor?
  private var unwritten: ArraySlice<UInt8> = []
  private var unread: [UInt8] = []
  private var errorTail = TailBuffer()
  private var reason: ProcessExit.Reason?

  /// The end of what it has said on its standard error.
  package var errorText: String { errorTail.text }
  /// The variables of this process, as they are: not all need be text.
  package static var ownEnvironment: [[UInt8]] {
    var variables: [[UInt8]] = []
    var next = environ
    while let text = next.pointee {
      variables.append(Array(UnsafeRawBufferPointer(start: text, count: strlen(text))))
      next += 1
    }
    return variables
  }
  /// Whether it still reads what is written to it.
  package var takesInput: Bool { input != nil }

  /// Starts it.
  ///
  /// - Parameters:
  ///   - arguments: The program, and its arguments; none with a NUL in it.
  ///   - environment: `NAME=value`; nil: what this process has.
  ///   - folder: Where it begins; nil: where this process is.
  package init(_ arguments: [String], environment: [[UInt8]]? = nil, folder: String? = nil) throws(Problem) {
    do throws(SystemCallError) {
      stop = try Descriptor.bell()
      let inputs = try Pipe()
      let outputs = try Pipe()
      let errors = try Pipe()
      var (pid, pidfd): (Int32, Int32) = (0, -1)
      let code = withStrings(arguments.map { Array($0.utf8) }) { arguments in
        withStrings(environment ?? []) { variables in
          millrace_program_spawn(
            arguments[0]!, arguments, environment == nil ? environ : variables, folder, inputs.reading.rawValue,
            outputs.writing.rawValue, errors.writing.rawValue, &pid, &pidfd)
        }
      }
      guard code == 0 else { throw SystemCallError("starting \(arguments[0])", code) }
      process = ChildProcess(pid: pid, pidfd: Descriptor(owning: pidfd), isOwnChild: true)
      input = HeldDescriptor(inputs.writing)
      output = HeldDescriptor(outputs.closeWriting())
      error = HeldDescriptor(errors.closeWriting())
    } catch {
      throw .system(error)
    }
    for descriptor in [input!.rawValue, output!.rawValue, error!.rawValue] { millrace_set_nonblocking(descriptor) }
  }

  deinit { if reason == nil { killAndReap() } }

  /// Whoever waits for it hears of that, and it ends.
  package func cancel() { stop.ring() }

  /// Writes to it, and takes meanwhile what comes. False if it reads no more.
  package func write(_ bytes: [UInt8]) throws(Problem) -> Bool {
    unwritten = bytes[...]
    try move(.written)
    return input != nil
  }

  /// No more is written to it.
  package func endInput() { input = nil }

  /// What has come and was not taken.
  package func takeOutput() -> [UInt8] {
    defer { unread = [] }
    return unread
  }

  /// The next of what comes; nil: there is no more.
  package func readOutput() throws(Problem) -> [UInt8]? {
    if unread.isEmpty { try move(.output) }
    return unread.isEmpty ? nil : takeOutput()
  }

  /// Ends its input, and waits for its end; what it has written until then is there to be taken.
  package func waitForEnd() throws(Problem) -> ProcessExit.Reason {
    endInput()
    try move(.end)
    return reason!
  }

  private func killAndReap() {
    process.kill()
    reason = process.waitForEnd().reason
    (output, error, input, unwritten) = (nil, nil, nil, [])
  }

  private func isReached(_ goal: Goal) -> Bool {
    switch goal {
    case .written: unwritten.isEmpty || input == nil
    case .output: !unread.isEmpty || output == nil
    case .end: reason != nil
    }
  }

  private func move(_ goal: Goal) throws(Problem) {
    while !isReached(goal) {
      var states = [
        pollfd(fd: stop.rawValue, events: Int16(POLLIN), revents: 0),
        pollfd(fd: output?.rawValue ?? -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: error?.rawValue ?? -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: unwritten.isEmpty ? -1 : input?.rawValue ?? -1, events: Int16(POLLOUT), revents: 0),
        // Who has ended reads no more, also where somebody else holds the pipe.
        pollfd(fd: process.descriptor, events: Int16(POLLIN), revents: 0),
      ]
      while poll(&states, nfds_t(states.count), -1) < 0 {}
      if states[0].revents != 0 {
        killAndReap()
        throw .cancelled
      }
      // Looked at first: what it has written before its end is in the pipes then.
      let hasEnded = states[4].revents != 0
      take()
      if states[3].revents != 0 { give() }
      guard hasEnded else { continue }
      // What it has left behind is ended with it. Who has got away from that may go on to write, and is not listened to.
      reason = process.waitForEnd().reason
      take()
      (output, error, input, unwritten) = (nil, nil, nil, [])
    }
  }

  private func give() {
    let count: Int = unwritten.withUnsafeBytes {
      millrace_write_quietly(input!.rawValue, $0.baseAddress, UInt($0.count))
    }
    if count >= 0 {
      unwritten = unwritten.dropFirst(count)
    } else if errno != EAGAIN, errno != EINTR {
      input = nil
      unwritten = []
    }
  }

  /// What is in the pipes; of a program that goes on to write, not more than the most that a pipe holds.
  private func take() {
    withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 1) { room in
      func drain(_ descriptor: Int32, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
        for _ in 0..<16 {
          let count = read(descriptor, room.baseAddress, room.count)
          if count < 0, errno == EINTR { continue }
          if count < 0 { return errno != EAGAIN }
          if count == 0 { return true }
          body(UnsafeRawBufferPointer(rebasing: room[..<count]))
        }
        return false
      }
      if let place = output?.rawValue, drain(place, { unread += $0 }) { output = nil }
      if let place = error?.rawValue, drain(place, { errorTail.take($0) }) { error = nil }
    }
  }
}

/// The strings as C wants them: a list of pointers that ends in nil.
private func withStrings<Result>(
  _ strings: [[UInt8]], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
  var pointers: [UnsafeMutablePointer<CChar>?] =
    strings.map { ($0 + [0]).withUnsafeBytes { strdup($0.assumingMemoryBound(to: CChar.self).baseAddress!) } } + [nil]
  defer { for pointer in pointers { free(pointer) } }
  return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
}
#endif
