#if CLI
internal import CMillrace

#if canImport(Glibc)
import Glibc
#endif

/// Owns a file descriptor and closes it.
struct Descriptor: ~Copyable, Sendable {
  let number: Int32

  init(owning number: Int32) { self.number = number }

  deinit { millrace_fd_close(number) }

  /// Takes the standard numbers that we were started without, so that nothing else of ours comes to have one and is read, or
  /// printed into, in its place.
  ///
  /// To be called first. What is there then refuses what it is for, as the missing one would: reading, or writing.
  static func standInForMissing() {
    for number in Int32(0)...2 where fcntl(number, F_GETFD) < 0 {
      // The lowest number that is free is this one.
      _ = Glibc.open("/dev/null", (number == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC)
    }
  }

  /// A wake-up that `poll` can see: readable once it was rung, until `hear`.
  static func bell() throws -> Descriptor {
    let number = millrace_bell_create()
    guard number >= 0 else { throw SystemError("cannot make an event descriptor") }
    return Descriptor(owning: number)
  }

  static func open(_ path: Bytes, _ flags: Int32) throws -> Descriptor {
    let number = (path + [0]).withUnsafeBytes { bytes in
      millrace_fd_open(bytes.baseAddress!.assumingMemoryBound(to: CChar.self), flags, 0o666)
    }
    guard number >= 0 else { throw SystemError("cannot open '\(String(decoding: path, as: UTF8.self))'") }
    return Descriptor(owning: number)
  }

  borrowing func ring() { _ = millrace_bell_ring(number) }

  borrowing func hear() { millrace_bell_clear(number) }
}

/// The two ends of a pipe.
struct Pipe: ~Copyable, Sendable {
  let reading: Descriptor
  private var writing: Descriptor?
  let writingNumber: Int32

  init() throws {
    var ends: [Int32] = [0, 0]
    guard millrace_pipe(&ends) == 0 else { throw SystemError("cannot make a pipe") }
    reading = Descriptor(owning: ends[0])
    writing = Descriptor(owning: ends[1])
    writingNumber = ends[1]
  }

  /// Once another process has the writing end, ours has to go, or the reading one never ends.
  mutating func closeWriting() { writing = nil }
}

/// A failed call of the system: what we wanted and why it was refused.
struct SystemError: Error, CustomStringConvertible {
  let wanted: String
  let code: Int32

  init(_ wanted: String, code: Int32 = errno) {
    self.wanted = wanted
    self.code = code
  }

  var description: String { "\(wanted): \(String(cString: strerror(code)))" }
}

/// Writes all of it, whatever the descriptor takes at once.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws {
  var rest = bytes
  while !rest.isEmpty {
    let count = write(descriptor, rest.baseAddress, rest.count)
    if count >= 0 {
      rest = .init(rebasing: rest[count...])
    } else if errno == EAGAIN {
      var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      poll(&ready, 1, -1)
    } else if errno != EINTR {
      throw SystemError("cannot write")
    }
  }
}

/// Nanoseconds of a clock that no one sets.
func monotonicNow() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
#endif
