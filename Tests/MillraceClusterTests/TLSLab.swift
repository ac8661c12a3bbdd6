#if Cluster
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// Authorities, certificates, and a server that has one, made by the program `openssl`.
final class TLSLab: Sendable {
  static let isHere = QueueKind.hasServer && ManagedServer.isOnPath("openssl")

  let folder: String
  private let servers = Lock<[ManagedServer]>([])

  init() throws {
    folder = try Files.folder()
    for name in ["ca", "other"] {
      try run("req -x509 \(Self.fresh(name)) -out \(file(name)) -days 2 -subj /CN=\(name)-authority")
    }
    try make("server")
    try make("me")
  }

  private static let kind = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
  private static func fresh(_ name: String) -> String { "\(kind) -keyout \(name).key" }

  func file(_ name: String) -> String { "\(folder)/\(name).pem" }
  func key(_ name: String) -> String { "\(folder)/\(name).key" }

  private func run(_ command: String) throws {
    let text = try Files.output(of: "cd \(folder) && openssl \(command) 2>&1 || echo failed")
    if text.contains("failed") { throw EngineError.refused("openssl \(command): \(text)") }
  }

  /// A certificate that the authority has signed.
  func make(_ name: String, names: String = "IP:127.0.0.1,DNS:localhost", days: Int = 2) throws {
    try run("req -new \(Self.fresh(name)) -out \(name).csr -subj /CN=\(name) -addext subjectAltName=\(names)")
    try run(
      "x509 -req -in \(name).csr -CA ca.pem -CAkey ca.key -set_serial \(name.utf8.count) -days \(days) "
        + "-copy_extensions copy -out \(name).pem")
  }

  /// A server that has this certificate, and where it is for those who speak TLS.
  func server(_ name: String = "server", wantsCertificates: Bool = false) throws -> (ManagedServer, RedisAddress) {
    let port = try ManagedServer.freePort()
    let server = try ManagedServer(more: [
      "tls-port \(port)", "tls-cert-file \(file(name))", "tls-key-file \(key(name))", "tls-ca-cert-file \(file("ca"))",
      "tls-auth-clients \(wantsCertificates ? "yes" : "no")",
    ])
    servers.withLock { $0.append(server) }
    var address = server.address
    (address.port, address.isSecure) = (port, true)
    return (server, address)
  }

  func end() async {
    for server in servers.withLock({ $0 }) { await server.end() }
    Files.remove(folder)
  }
}

/// Runs the body with certificates and servers that are gone afterwards.
func withTLS(_ body: (TLSLab) async throws -> Void) async throws {
  let lab = try TLSLab()
  let result: Result<Void, any Error>
  do { result = .success(try await body(lab)) } catch { result = .failure(error) }
  await lab.end()
  try result.get()
}
#endif
