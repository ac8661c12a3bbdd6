import MillraceIPC

/// What a driver says of itself, and an agent compares before it asks for work: the field that differs is named.
package struct Manifest: Sendable, Equatable {
  /// Of orders, answers, keys and scripts: what two builds of a program may have in common.
  package static let currentProtocol = "4"

  package var version = Self.currentProtocol
  package var build = "\(BuildFingerprint.current)"
  package var word = "\(Int.bitWidth) \(Self.isLittleEndian ? "little" : "big")-endian"

  package init() {}

  private static var isLittleEndian: Bool { 1.littleEndian == 1 }

  package var bytes: [UInt8] {
    Array(Fields([("protocol", version), ("build", build), ("word", word)]).text.utf8)
  }

  package init(bytes: [UInt8]) {
    let fields = Fields(String(decoding: bytes, as: UTF8.self))
    version = fields["protocol"] ?? ""
    build = fields["build"] ?? ""
    word = fields["word"] ?? ""
  }

  /// What of this agent is not as the driver has it; nil: nothing.
  package func refusal(of agent: Manifest) -> String? {
    if version != agent.version { return "protocol: the driver's is \(version), this agent's \(agent.version)" }
    if word != agent.word { return "word: the driver's machine has \(word), this agent's \(agent.word)" }
    if build != agent.build {
      return "build: the driver is \(build), this agent \(agent.build): it has to be the same executable"
    }
    return nil
  }
}
