#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A system call that failed, and why.
package struct SystemCallError: Error, Equatable, Sendable, CustomStringConvertible {
  package let call: String
  package let code: Int32

  package init(_ call: String, _ code: Int32) {
    self.call = call
    self.code = code
  }

  /// As many descriptors are on their way, of all of this user's programs, as one of them may have open.
  package var isForCrowd: Bool { code == ETOOMANYREFS }

  /// Whether the system had not enough of something for it.
  package var isForWant: Bool { [EMFILE, ENFILE, ENOMEM, ENOBUFS].contains(code) }

  package var description: String {
    "\(call): \(Self.text(of: code)) (errno \(code))"
  }

  private static func text(of code: Int32) -> String {
    // Not strerror: it is not safe from several threads.
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      buffer.initialize(repeating: 0)
      guard let base = buffer.baseAddress, strerror_l_text(code, base, buffer.count) else { return "error" }
      return String(cString: base)
    }
  }
}

private func strerror_l_text(_ code: Int32, _ buffer: UnsafeMutablePointer<CChar>, _ count: Int) -> Bool {
  strerror_r(code, buffer, count) == 0
}
