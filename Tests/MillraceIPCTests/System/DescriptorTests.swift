import MillraceIPC
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Whose a number is.
@Suite struct DescriptorTests {
  @Test("U43: a descriptor that others have closed is not theirs to lose when ours ends")
  func closedByOthers() throws {
    let pipe = try Pipe()
    let number = pipe.writing.rawValue
    // As code does that closes all descriptors, and then opens a file.
    close(number)
    let file = open("/dev/null", O_RDWR | O_CLOEXEC)
    defer { close(file) }
    #expect(dup2(file, number) == number)
    Self.end(pipe)
    #expect(fcntl(number, F_GETFD) >= 0, "the file is still open")
    close(number)
  }

  @Test("U43: one that is still ours is closed")
  func ours() throws {
    let pipe = try Pipe()
    let number = pipe.writing.rawValue
    #expect(fcntl(number, F_GETFD) >= 0)
    Self.end(pipe)
    #expect(fcntl(number, F_GETFD) < 0)
  }

  private static func end(_ pipe: consuming Pipe) {}
}
