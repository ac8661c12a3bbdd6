#if Cluster
import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A `redis-server` of this program's own: on a free port, with a password of its own, without files, gone with the program.
package final class ManagedServer: Sendable {
  package let address: RedisAddress
  private let process: BoundProcess
  private let ending = Ending()

  private final class Ending: Sendable {
    let how = Lock<(end: TetheredProcess.End, lastLine: String)?>(nil)
    let bell = TaskBell()
  }

  /// - Parameters:
  ///   - port: nil: one that is free.
  ///   - isLocal: whether only this machine may come in.
  /// - Throws: ``WorkerPoolError`` if there is no `redis-server` on the path.
  package init(port: Int? = nil, password: String? = nil, isLocal: Bool = true, more: [String] = []) throws {
    guard Self.isOnPath("redis-server") else {
      throw WorkerPoolError(
        .cannotStart, "there is no redis-server on the PATH: install one (package redis-server), or name one by its URL"
      )
    }
    var address = RedisAddress()
    address.port = try port ?? Self.freePort()
    address.password = password ?? Self.freshPassword()
    self.address = address
    let settings = [
      "port \(address.port)", "bind \(isLocal ? "127.0.0.1" : "0.0.0.0")", "requirepass \(address.password ?? "")",
      "maxmemory-policy noeviction", "save \"\"", "appendonly no", "daemonize no", "dir /tmp",
    ]
    process = try BoundProcess(
      ["redis-server", "-"], input: (settings + more).joined(separator: "\n") + "\n"
    ) { [ending] end, line in
      ending.how.withLock { $0 = (end, line) }
      ending.bell.ring()
    }
  }

  /// How it has ended, if it has.
  package var end: String? {
    ending.how.withLock { $0 }.map { end, line in
      let last = line.isEmpty ? "" : " (it wrote last: \(line))"
      return "the redis-server that this pool has started \(end)\(last), and what it had is lost"
    }
  }

  /// Waits until it is gone.
  package func end() async {
    process.kill()
    while ending.how.withLock({ $0 == nil }) { await ending.bell.waitForRing() }
  }

  private static func freshPassword() -> String {
    var random = SystemRandomNumberGenerator()
    return (0..<4).map { _ in String(UInt64.random(in: .min ... .max, using: &random), radix: 36) }.joined()
  }

  /// One that nobody has just now.
  package static func freePort() throws -> Int {
    let socket = Descriptor(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
    guard socket.rawValue >= 0 else { throw SystemError("socket", errno) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) { place in
      place.withMemoryRebound(to: sockaddr.self, capacity: 1) { place in
        bind(socket.rawValue, place, length) == 0 ? getsockname(socket.rawValue, place, &length) : -1
      }
    }
    guard code == 0 else { throw SystemError("bind", errno) }
    return Int(UInt16(bigEndian: address.sin_port))
  }

  package static func isOnPath(_ program: String) -> Bool {
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    return path.split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
  }
}

#endif
