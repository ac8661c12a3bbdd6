#if Cluster
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// F76: hosts that are cut off, as networks of their own on this machine.
extension Checked {
  @Suite(
    .enabled(if: QueueKind.hasServer, "redis-server is not installed"),
    .enabled(if: NetworkLab.isHere, "networks cannot be made here: that takes root, and ip (package iproute2)"),
    .serialized)
  struct NetworkFaults {
    @Test("F76: a host that is cut off for longer than a lease, and comes back, costs nothing")
    func cutOff() async throws {
      let network = try NetworkLab()
      defer { network.end() }
      let server = try ManagedServer(isLocal: false)
      let path = getenv("PATH").map { String(cString: $0) } ?? ""
      setenv("PATH", "\(network.folder):\(path)", 1)
      defer { setenv("PATH", path, 1) }
      var address = server.address
      address.host = network.here
      let lease = Duration.milliseconds(600)
      let backend = WorkerPool.Backend.cluster(
        engine: .redis(address.url), launch: .ssh([("far", 1), ("near", 1)], path: Files.program), lease: lease)
      let result: Result<[Whereabouts.Place], any Error>
      do {
        result = .success(
          try await withWorkerPool(backend) { pool in
            var places: [Whereabouts.Place] = []
            var (cutAt, isBack) = (UInt64.max, false)
            // Until both have brought something; then so much that the one that is left is busy for longer than the other is away.
            for try await place in pool.outputs(
              of: 0..<140, with: SlowPlaces(), order: .completion, options: MapOptions(chunking: .size(1)))
            {
              places.append(place)
              let now = MonotonicTime.now
              if cutAt == .max, Set(places.map(\.process)).count == 2 {
                try network.cut()
                cutAt = now
              }
              if !isBack, cutAt < now, now &- cutAt > 2 * lease.nanoseconds {
                try network.heal()
                isBack = true
              }
            }
            #expect(isBack)
            return places
          })
      } catch { result = .failure(error) }
      await server.end()
      #expect(try result.get().map(\.index).sorted() == Array(0..<140))
    }
  }
}

/// A host as a network of its own with one line to this one, and an `ssh` that goes there if the host is `far`.
private final class NetworkLab {
  static let isHere =
    geteuid() == 0 && ManagedServer.isOnPath("ip")
    && (try? Files.output(
      of: "unshare -n true 2>&1 && ip netns add millrace-probe 2>&1 && ip netns del millrace-probe 2>&1")) == ""

  let here = "10.231.77.1"
  let folder: String
  private let name = "millrace-\(getpid())"
  private let line = "mr\(getpid())"

  init() throws {
    folder = try Files.folder()
    try Files.write(
      "\(folder)/ssh",
      "#!/bin/sh\n[ \"$6\" = far ] && exec ip netns exec \(name) /bin/sh -c \"$7\"\nexec /bin/sh -c \"$7\"\n",
      mode: 0o700)
    try run("ip netns add \(name)")
    try run("ip link add \(line) type veth peer name far netns \(name)")
    try run("ip addr add \(here)/30 dev \(line) && ip link set \(line) up")
    try run(
      "ip -n \(name) addr add 10.231.77.2/30 dev far && ip -n \(name) link set far up && ip -n \(name) link set lo up")
  }

  func cut() throws { try run("ip link set \(line) down") }
  func heal() throws { try run("ip link set \(line) up") }

  func end() {
    try? run("ip link del \(line)")
    try? run("ip netns del \(name)")
    Files.remove(folder)
  }

  private func run(_ command: String) throws {
    let said = try Files.output(of: "(\(command)) 2>&1")
    try #require(said == "", "\(command)")
  }
}
#endif
