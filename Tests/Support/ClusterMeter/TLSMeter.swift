#if Cluster
import Millrace
import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// What TLS costs: small items one by one and in hundreds, and blocks of a MiB, over one server's two ports, by turns.
///
/// `ClusterMeter tls REPS`, which needs the program `openssl`.
enum TLSMeter {
  static func measure(_ repetitions: Int) async throws {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    // The system puts a name of its own in the place of the X.
    var name = Array("\(base)/millrace-meter-XXXXXX".utf8CString)
    guard mkdtemp(&name) != nil else { fatalError("no folder: errno \(errno)") }
    let folder = name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    defer { run("rm -r '\(folder)'") }
    run(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=meter "
        + "-addext subjectAltName=IP:127.0.0.1 -keyout '\(folder)/key' -out '\(folder)/certificate' 2>'\(folder)/log'")
    let port = try ManagedServer.freePort()
    let server = try ManagedServer(more: [
      "tls-port \(port)", "tls-cert-file \(folder)/certificate", "tls-key-file \(folder)/key",
      "tls-ca-cert-file \(folder)/certificate", "tls-auth-clients no",
    ])
    var secure = server.address
    (secure.port, secure.isSecure) = (port, true)
    for _ in 0..<repetitions {
      for (kind, url) in [
        ("plain", server.address.url), ("tls", "\(secure.url)?ca=\(folder)/certificate"),
      ] {
        let backend = WorkerPool.Backend.cluster(
          engine: .redis(url, job: kind), launch: .local(agents: 2, slots: 1), width: 64)
        try await withWorkerPool(backend) { pool in
          _ = try await pool.run(1, with: AddOne())
          try await ClusterMeter.items(pool, "\(kind).one", 20_000, chunk: 1)
          try await ClusterMeter.items(pool, "\(kind).hundred", 1_000_000, chunk: 100)
          try await ClusterMeter.digests(pool, "\(kind).digest")
        }
      }
    }
    await server.end()
  }

  private static func run(_ command: String) {
    guard let pipe = popen(command, "r"), pclose(pipe) == 0 else { fatalError("it failed: \(command)") }
  }
}
#endif
