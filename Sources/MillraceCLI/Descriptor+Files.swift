#if CLI
internal import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension Descriptor {
  /// Takes the standard numbers that we were started without, so that nothing else of ours comes to have one and is read, or
  /// printed into, in its place.
  ///
  /// To be called first. What is there then refuses what it is for, as the missing one would: reading, or writing.
  static func standInForMissing() {
    for number in Int32(0)...2 where fcntl(number, F_GETFD) < 0 {
      // The lowest number that is free is this one.
      _ = LibC.open("/dev/null", (number == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC)
    }
  }

  static func open(_ path: Bytes, _ flags: Int32) throws(SystemError) -> Descriptor {
    let number = (path + [0]).withUnsafeBytes { bytes in
      millrace_fd_open(bytes.baseAddress!.assumingMemoryBound(to: CChar.self), flags, 0o666)
    }
    guard number >= 0 else { throw SystemError("cannot open '\(String(decoding: path, as: UTF8.self))'") }
    return Descriptor(owning: number)
  }
}

/// Writes all of it, whatever the descriptor takes at once.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws(SystemError) {
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
#endif
