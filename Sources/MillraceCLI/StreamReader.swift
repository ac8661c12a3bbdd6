#if CLI
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// One stream of a running job.
struct StreamReader {
  let stream: OutputWriter.Stream
  /// -1 after its end.
  var descriptor: Int32
  var capture: Capture
  var received = 0

  init(_ stream: OutputWriter.Stream, _ descriptor: Int32, _ memory: Int) {
    self.stream = stream
    self.descriptor = descriptor
    capture = Capture(memory: memory)
  }

  /// How many bytes there are to be read.
  var waiting: Int {
    var count: Int32 = 0
    return ioctl(descriptor, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
  }

  /// What is there now; nil if nothing is.
  mutating func readOnce() throws -> Bytes? {
    var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&event, 1, 0) == 1 else { return nil }
    guard event.revents & Int16(POLLIN) != 0 else {
      descriptor = -1
      return nil
    }
    let bytes = Bytes(unsafeUninitializedCapacity: 64 * 1024) { buffer, count in
      count = max(LibC.read(descriptor, buffer.baseAddress, buffer.count), 0)
    }
    if bytes.isEmpty {
      descriptor = -1
      return nil
    }
    received += bytes.count
    return bytes
  }
}
#endif
