#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A call to the system about shared memory failed.
package struct MemoryError: Error, Equatable, CustomStringConvertible {
  /// What was tried.
  package let call: String

  /// The `errno` that it failed with.
  package let code: Int32

  package init(_ call: String, code: Int32) {
    self.call = call
    self.code = code
  }

  /// Whether the process has as many descriptors as it may have.
  package var isForWantOfDescriptors: Bool { code == EMFILE }

  package var description: String { "\(call) failed (errno \(code))" }
}

/// What the peer left in shared memory cannot be right: it is broken or hostile, and its worker must be ended.
@usableFromInline
package enum ProtocolError: Error, Equatable, CustomStringConvertible {
  /// The memory is no lane, or one of another build.
  case lane(String)

  /// The peer moved its index of a ring backwards, or beyond the other's by more than the capacity.
  case index(writer: UInt64, reader: UInt64, capacity: Int)

  /// A frame claims more bytes than there are.
  case frame(length: Int, available: Int)

  /// A segment is unknown, unsealed, too small or too many.
  case segment(UInt32, String)

  @usableFromInline package var description: String {
    switch self {
    case .lane(let reason): "not a lane of this build: \(reason)"
    case .index(let writer, let reader, let capacity):
      "ring index out of bounds: written to \(writer), read to \(reader), capacity \(capacity)"
    case .frame(let length, let available): "frame of \(length) bytes where \(available) are left"
    case .segment(let id, let reason): "segment \(id): \(reason)"
    }
  }
}
