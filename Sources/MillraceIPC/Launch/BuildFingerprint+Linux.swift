#if os(Linux)
import CMillrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Which build of which program this is: two processes that differ in it must not exchange types.
package struct BuildFingerprint: Hashable, Sendable, CustomStringConvertible {
  package let bytes: [UInt8]

  package init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// The linker's build ID of the running executable, or else its file's identity, size and time of change.
  package static let current = buildID ?? fileIdentity

  /// Hexadecimal digits.
  package var description: String {
    bytes.lazy.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  private static var buildID: BuildFingerprint? {
    let bytes = [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
      count = millrace_image_build_id(buffer.baseAddress, buffer.count)
    }
    // Shorter ones are placeholders.
    return bytes.count >= 8 ? BuildFingerprint(bytes: bytes) : nil
  }

  private static var fileIdentity: BuildFingerprint {
    var status = stat()
    // What runs, even if the path means another file by now. It cannot fail where /proc is.
    guard stat("/proc/self/exe", &status) == 0 else { return BuildFingerprint(bytes: []) }
    let parts = [
      UInt64(status.st_dev), UInt64(status.st_ino), UInt64(status.st_size),
      UInt64(status.st_mtim.tv_sec), UInt64(status.st_mtim.tv_nsec),
    ]
    return BuildFingerprint(bytes: fnv(parts, seed: 0xcbf2_9ce4_8422_2325) + fnv(parts, seed: 0x9ae1_6a3b_2f90_404f))
  }

  private static func fnv(_ parts: [UInt64], seed: UInt64) -> [UInt8] {
    var hash = seed
    for part in parts {
      for shift in stride(from: UInt64(0), to: 64, by: 8) {
        hash = (hash ^ (part >> shift & 0xff)) &* 0x0000_0100_0000_01b3
      }
    }
    return (0..<8).map { UInt8(truncatingIfNeeded: hash >> ($0 * 8)) }
  }
}
#endif
