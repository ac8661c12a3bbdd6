#if os(Linux)
/// The first message to every spawned worker: which build is speaking, and which `WorkerMain` is to run.
package struct WorkerIntroduction: Equatable, Sendable {
  package let fingerprint: BuildFingerprint
  package let main: TypeReference

  package init(fingerprint: BuildFingerprint = .current, main: TypeReference) {
    self.fingerprint = fingerprint
    self.main = main
  }

  /// `nil` if a worker could not find the type again.
  package init?(_ main: any WorkerMain.Type) {
    guard let reference = TypeReference(main) else { return nil }
    self.init(main: reference)
  }

  /// "MRW", a version, the fingerprint with its length, the type.
  package var bytes: [UInt8] {
    Self.magic + [UInt8(clamping: fingerprint.bytes.count)] + fingerprint.bytes + main.bytes
  }

  package init?(bytes: [UInt8]) {
    guard bytes.starts(with: Self.magic), bytes.count > Self.magic.count else { return nil }
    let start = Self.magic.count + 1
    let end = start + Int(bytes[start - 1])
    guard end < bytes.count else { return nil }
    fingerprint = BuildFingerprint(bytes: Array(bytes[start..<end]))
    main = TypeReference(bytes: Array(bytes[end...]))
  }

  private static let magic: [UInt8] = Array("MRW".utf8) + [1]
}
#endif
