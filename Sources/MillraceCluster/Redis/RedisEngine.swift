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

  /// What is larger goes beside its stream.
  static let largest = 1 << 20
  /// How long what nobody looks after stays.
  static let life: Duration = .seconds(600)

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
    await client.close()
    await waiter.close()
    try? await group.shutdownGracefully()
  }

  // MARK: Both sides

  var ttl: [UInt8] { Array("\(lease.nanoseconds / 1_000_000)".utf8) }

  func words(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }

  /// As a stream has it: whether it lies there, and if so the bytes.
  func stored(_ bytes: [UInt8], _ id: UInt64, isResult: Bool) async throws -> [UInt8] {
    guard bytes.count > Self.largest else { return [0] + bytes }
    var command: RESPCommand = ["SET", keys.large(id, isResult: isResult)]
    command.add(bytes)
    for word in ["PX", "\(Self.life.nanoseconds / 1_000_000)"] { command.add(word) }
    _ = try await client.ask(command, within: .seconds(60))
    return [1]
  }

  /// Nil, if what lay beside the stream is gone.
  func whole(_ bytes: [UInt8], _ id: UInt64, isResult: Bool) async throws -> [UInt8]? {
    guard bytes.first == 1 else { return Array(bytes.dropFirst()) }
    return try await client.ask(["GET", keys.large(id, isResult: isResult)], within: .seconds(60)).bytes
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
