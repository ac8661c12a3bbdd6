import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A file that is written to at its end.
///
/// Who writes to a pipe, or a terminal, may have to wait: that is done on a thread of its own, until it is cancelled.
final class WritableFile: Sendable {
  private let path: String
  private let file: Descriptor
  private let thread: BlockingThread?
  private let stop: Descriptor
  /// It was opened by somebody else, and is his: whether a call of it waits, too.
  private let isLent: Bool

  private init(
    _ path: String, _ file: consuming Descriptor, _ thread: BlockingThread?, isLent: Bool = false
  ) throws {
    self.path = path
    self.file = file
    self.thread = thread
    self.isLent = isLent
    stop = try Descriptor.bell()
  }

  /// What somebody has opened.
  convenience init(descriptor number: Int32) throws {
    let path = "descriptor \(number)"
    let copy = millrace_fd_copy(number)
    guard copy >= 0 else { throw SystemError("writing to \(path)", errno) }
    try self.init(path, Descriptor(owning: copy), BlockingThread("millrace-write"), isLent: true)
  }

  /// Sees to it that it is there.
  static func make(_ path: String, empties: Bool) throws {
    guard isOrdinary(path) else { return }
    let number = millrace_fd_open_own(path, O_WRONLY | O_CREAT | (empties ? O_TRUNC : 0), 0o666)
    guard number >= 0 else { throw SystemError("opening \(path) for writing", errno) }
    _ = Descriptor(owning: number)
  }

  static func open(_ path: String) async throws -> WritableFile {
    if isOrdinary(path) {
      return try WritableFile(path, Descriptor(owning: try number(path, O_APPEND | O_CREAT)), nil)
    }
    let thread = BlockingThread("millrace-write")
    // Whoever waits for a FIFO's reader has one when nobody wants it any more, for as long as it waits, and if it comes to that later.
    let reader = Lock<HeldDescriptor?>(nil)
    let number = try await withTaskCancellationHandler {
      try await thread.run { () throws -> Int32 in try Self.number(path, 0) }
    } onCancel: {
      let number = millrace_fd_open_own(path, O_RDWR | O_NONBLOCK | O_NOCTTY, 0)
      if number >= 0 { reader.withLock { $0 = HeldDescriptor(Descriptor(owning: number)) } }
    }
    let file = Descriptor(owning: number)
    try Task.checkCancellation()
    millrace_set_nonblocking(number)
    return try WritableFile(path, file, thread)
  }

  private static func number(_ path: String, _ flags: Int32) throws -> Int32 {
    let number = millrace_fd_open_own(path, O_WRONLY | O_NOCTTY | flags, 0o666)
    guard number >= 0 else { throw SystemError("opening \(path) for writing", errno) }
    return number
  }

  func append(_ bytes: [UInt8]) async throws {
    guard let thread else { return try writeAll(bytes) }
    stop.hear()
    try await withTaskCancellationHandler {
      try await thread.run { try self.writeAll(bytes) }
    } onCancel: {
      stop.ring()
    }
  }

  private func writeAll(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = try write(UnsafeRawBufferPointer(rebasing: rest))
        if count < 0, errno == EINTR { continue }
        if count < 0, errno == EAGAIN {
          try waitForRoom()
          continue
        }
        guard count >= 0 else { throw SystemError("writing to \(path)", errno) }
        rest = rest.dropFirst(count)
      }
    }
  }

  /// Writes some of it, without waiting but where one can be told to stop.
  private func write(_ bytes: UnsafeRawBufferPointer) throws -> Int {
    guard isLent else { return millrace_write_quietly(file.rawValue, bytes.baseAddress, UInt(bytes.count)) }
    let count = send(file.rawValue, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
    guard count < 0, errno == ENOTSOCK else { return count }
    // What a pipe takes at once, if it takes anything.
    try waitForRoom()
    return millrace_write_quietly(file.rawValue, bytes.baseAddress, UInt(min(bytes.count, Int(PIPE_BUF))))
  }

  private func waitForRoom() throws {
    var states = [
      pollfd(fd: file.rawValue, events: Int16(POLLOUT), revents: 0),
      pollfd(fd: stop.rawValue, events: Int16(POLLIN), revents: 0),
    ]
    while poll(&states, 2, -1) < 0 {}
    if states[1].revents != 0 { throw CancellationError() }
  }

  private static func isOrdinary(_ path: String) -> Bool {
    var status = stat()
    let kind = stat(path, &status) == 0 ? status.st_mode & S_IFMT : S_IFREG
    return kind == S_IFREG || kind == S_IFDIR
  }
}

/// Throws where it is none, or the system would take a shorter path for it.
package func checkPath(_ name: String, _ path: String) throws(InvalidOption) {
  if path.isEmpty { throw InvalidOption(name: "the path of \(name)", value: "\"\"", allowed: "not empty") }
  guard path.utf8.contains(0) else { return }
  throw InvalidOption(name: "the path of \(name)", value: "one with a NUL in it", allowed: "without")
}

/// The path from the root, whichever folder is current where it is used; none is none.
package func absolutePath(_ path: String) -> String {
  guard !path.isEmpty, path.utf8.first != UInt8(ascii: "/"), let folder = getcwd(nil, 0) else { return path }
  defer { free(folder) }
  // Where no string says which folder it is, the path goes on from where the program is.
  guard let name = String(validatingCString: folder) else { return path }
  return name + "/" + path
}
