import Millrace
import MillraceIPC

/// A worker on its way to agents: its announcement, and behind it what is shared in its configuration, once each.
///
/// An agent makes memory of its own of that, which its worker processes then have in common: it travels once to each agent, whatever its slots.
enum WorkerParcel {
  static func pack(_ worker: any RemoteWorker) throws -> [UInt8] {
    let carrier = ParcelCarrier()
    let passage = SharedPassage(carrier)
    let announcement = try passage.within { try worker.announcement() }
    var writer = ByteWriter()
    announcement.withUnsafeBytes { Records.append($0, to: &writer) }
    for block in carrier.blocks {
      block.token.words.withUnsafeBytes { Records.append($0, to: &writer) }
      Records.append(block.bytes, to: &writer)
    }
    return Array(writer.bytes)
  }

  static func unpack(_ bytes: [UInt8]) throws -> any RelayedWorker {
    try bytes.withUnsafeBytes { bytes in
      var rest = bytes
      let announcement = Array(try Records.next(&rest).bytes)
      let carrier = ParcelCarrier()
      while !rest.isEmpty {
        let words = try Records.next(&rest).bytes
        let content = try Records.next(&rest).bytes
        guard words.count == 8 * SharedToken.wordCount,
          let token = SharedToken(
            words: (0..<SharedToken.wordCount).map {
              words.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)
            })
        else { throw EngineError.refused("a worker's shared value has no name") }
        carrier.blocks.append(try SharedRegistry.copy(token, content))
      }
      // It is not the passage that keeps it.
      return try withExtendedLifetime(carrier) { try SharedPassage($0).within { try relayedWorker(announcement) } }
    }
  }
}

/// What is shared goes along if nobody writes it; the rest is of one machine.
final class ParcelCarrier: SharedCarrier {
  var blocks: [SharedBlock] = []

  func carry(_ block: SharedBlock) throws {
    guard block.token.form == .constant else {
      throw SharedMissing(
        description:
          "it is memory that the processes of one machine have in common; send a copy of what is in it, or, if it is only read, "
          + "make it a Shared")
    }
    if !blocks.contains(where: { $0.token == block.token }) { blocks.append(block) }
  }

  func find(_ token: SharedToken) throws -> SharedBlock {
    guard let block = blocks.first(where: { $0.token == token }) else {
      throw SharedMissing(description: "a shared object that did not come with its worker")
    }
    return block
  }
}
