#if Cluster
import Millrace
import MillraceIPC
import NIOCore
import NIOPosix

/// The queue on a Redis server: 6.2 or later, or any Valkey.
///
/// Work is a stream with a consumer group; a lease is an entry of the group's list of what is pending; a result, the acknowledgement of
/// its work and the fence are one script (``RedisScript``). The server need not keep anything on disk: what it has forgotten, the
/// driver submits again.
package final class RedisEngine: WorkEngine {
  struct State {
    /// Which driver this is; 0: none, yet.
    var epoch = 0
    /// How often the server has heard that it lives.
    var beats = 0
    /// Up to where results were read.
    var read = "0-0"
    /// Work of this driver's that lies beside its stream, and is out.
    var large: Set<String> = []
    /// What lies beside the streams and is needed no more.
    var spent: [String] = []
    /// When this agent last looked for work of others.
    var lookedAt: UInt64 = 0
  }

  package let lease: Duration
  let keys: RedisKeys
  let client: RedisClient
  /// Another connection, for what waits on the server.
  let waiter: RedisClient
  let state = Lock(State())
  private let group: MultiThreadedEventLoopGroup

  /// What is larger goes beside its stream, in pieces of this size: so small that each server takes them, whatever its limit for one
  /// string (`proto-max-bulk-len`, at least 1 MiB).
  static let largest = 1 << 20 - 64
  /// How many of those are on their way at once.
  private static let together = 8

  /// - Parameters:
  ///   - patience: how long a server is waited for that does not answer.
  ///   - end: how the server has ended, if nobody will bring it back.
  package init(
    _ address: RedisAddress, job: String, lease: Duration = .seconds(30), patience: Duration = .seconds(30),
    end: @escaping @Sendable () -> String? = { nil }
  ) {
    self.lease = lease
    keys = RedisKeys(job: job)
    group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    client = RedisClient(address, on: group, patience: patience, end: end)
    waiter = RedisClient(address, on: group, patience: patience, end: end)
  }

  package func interrupt() async { await waiter.close() }

  package func close() async {
    await client.end()
    await waiter.end()
    try? await group.shutdownGracefully()
  }

  // MARK: Both sides

  var ttl: [UInt8] { Array("\(lease.nanoseconds / 1_000_000)".utf8) }

  func words(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }

  /// As a stream has it: whether it lies there, and if so the bytes; else how many pieces there are, and whose.
  ///
  /// - Parameter owner: the driver's epoch, or the agent's name.
  func stored(_ bytes: [UInt8], _ id: UInt64, of owner: String, isResult: Bool) async throws -> [UInt8] {
    guard bytes.count > Self.largest else { return [0] + bytes }
    let key = keys.large(id, of: owner, isResult: isResult)
    let count = (bytes.count + Self.largest - 1) / Self.largest
    do {
      for start in stride(from: 0, to: count, by: Self.together) {
        var commands = (start..<min(count, start + Self.together)).map { number -> RESPCommand in
          var command: RESPCommand = ["HSET", key, "\(number)"]
          command.add(Array(bytes[number * Self.largest..<min(bytes.count, (number + 1) * Self.largest)]))
          return command
        }
        commands.append(["PEXPIRE", key, "\(RedisKeys.life)"])
        // An agent has something else to say where there is no room, and needs some for that.
        _ = try await client.ask(commands, within: .seconds(60), waitsForRoom: !isResult)
      }
    } catch {
      _ = try? await client.ask(["DEL", key])
      throw error
    }
    return [1] + Array("\(count) \(owner)".utf8)
  }

  /// Where it lies, if that is beside its stream, and in how many pieces.
  func place(_ bytes: [UInt8], _ id: UInt64, isResult: Bool) -> (key: String, pieces: Int)? {
    guard bytes.first == 1 else { return nil }
    let words = String(decoding: bytes.dropFirst(), as: UTF8.self).split(separator: " ", maxSplits: 1)
    guard words.count == 2, let pieces = Int(words[0]) else { return nil }
    return (keys.large(id, of: String(words[1]), isResult: isResult), pieces)
  }

  /// Nil, if what lay beside the stream is gone.
  func whole(_ bytes: [UInt8], _ id: UInt64, isResult: Bool) async throws -> [UInt8]? {
    guard bytes.first == 1 else { return Array(bytes.dropFirst()) }
    guard let (key, count) = place(bytes, id, isResult: isResult) else { return nil }
    var whole: [UInt8] = []
    whole.reserveCapacity(min(count, Self.together) * Self.largest)
    for start in stride(from: 0, to: count, by: Self.together) {
      let pieces = try await client.ask(
        (start..<min(count, start + Self.together)).map { ["HGET", key, "\($0)"] }, within: .seconds(60))
      for piece in pieces {
        guard let piece = piece.bytes else { return nil }
        whole += piece
      }
    }
    return whole
  }

  /// The number of an entry that has it as the first half of its own.
  static func id(_ entry: RESPValue) -> UInt64? { entry.string.flatMap { UInt64($0.prefix { $0 != "-" }) } }

  /// The value of a field of an entry.
  static func field(_ name: String, of entry: RESPValue) -> RESPValue? {
    let fields = entry.array.count == 2 ? entry.array[1].array : []
    return stride(from: 0, to: fields.count - 1, by: 2).first { fields[$0].string == name }.map { fields[$0 + 1] }
  }
}
#endif
