#if Cluster
import Logging
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// Queues behind TLS, on a real server: who is trusted, who is not, and what is said then.
extension Checked {
  @Suite(.enabled(if: TLSLab.isHere, "redis-server or openssl is not installed"), .serialized)
  struct TLSTests {
    /// Why a driver cannot open its job there.
    private func failure(_ address: RedisAddress) async -> String {
      let engine = RedisEngine(address, job: "secure", patience: .seconds(20))
      var failure = "none"
      do { _ = try await engine.open(Manifest().bytes) } catch { failure = "\(error)" }
      await engine.close()
      return failure
    }

    @Test("a map over agents that are handed what they need, and no file", arguments: [false, true])
    func map(_ wantsCertificates: Bool) async throws {
      try await withTLS { lab in
        let (_, address) = try lab.server(wantsCertificates: wantsCertificates)
        // Server and program have read what they need before it goes.
        var named = address
        named.tls.authorities = lab.file("ca")
        if wantsCertificates { (named.tls.certificate, named.tls.key) = (lab.file("me"), lab.key("me")) }
        #expect(await failure(named) == "none")
        let mine = wantsCertificates ? "&cert=\(lab.file("me"))&key=\(lab.key("me"))" : ""
        // By its name, which the certificate has to have as well.
        let url = address.url.replacing("127.0.0.1", with: "localhost") + "?ca=\(lab.file("ca"))\(mine)"
        let backend = WorkerPool.Backend.cluster(
          engine: .redis(url), launch: .local(agents: 2), lease: .seconds(5))
        #expect(!"\(backend)".contains(address.password ?? "-"))
        try await withWorkerPool(backend) { pool in
          // From now on nobody else could read them.
          for name in ["ca", "me"] { unlink(lab.file(name)) }
          unlink(lab.key("me"))
          let squares = try await pool.map(0..<200, with: Square())
          #expect(squares == (0..<200).map { $0 * $0 })
          // More than one record of TLS, and more than one piece of ours.
          let items = (0..<2).map { [UInt8](repeating: UInt8($0), count: 3 << 20) }
          let reversed = try await pool.map(items, with: Reverse())
          #expect(reversed == items)
        }
      }
    }

    @Test("U333: as many authorities as are allowed reach the agents that are launched", .timeLimit(.minutes(1)))
    func manyAuthorities() async throws {
      try await withTLS { lab in
        let (_, address) = try lab.server(wantsCertificates: false)
        let ca = try readFile(lab.file("ca"))
        let many = String(repeating: ca, count: 30_000 / ca.utf8.count)
        #expect(many.utf8.count > 28_000)
        let url = address.url + "?ca=\(lab.file("many"))"
        try Files.write(lab.file("many"), many, mode: 0o600)
        let backend = WorkerPool.Backend.cluster(
          engine: .redis(url), launch: .local(agents: 1), lease: .seconds(5), patience: .seconds(10))
        #expect(try await withWorkerPool(backend) { try await $0.map([3], with: Square()) } == [9])
      }
    }

    @Test("a server that nobody vouches for is not believed, but by who says so")
    func authority() async throws {
      try await withTLS { lab in
        var (_, address) = try lab.server()
        address.tls.authorities = lab.file("ca")
        #expect(await failure(address) == "none")
        address.tls.authorities = lab.file("other")
        let wrong = await failure(address)
        #expect(wrong.contains("nobody of ca= has signed its certificate"), "\(wrong)")
        #expect(wrong.contains("common_name=server"))
        address.tls.authorities = nil
        let none = await failure(address)
        #expect(none.contains("nobody whom this system trusts"), "\(none)")
        address.tls.verifies = false
        #expect(await failure(address) == "none")
      }
    }

    @Test("a certificate that has expired, and one of another host")
    func certificate() async throws {
      try await withTLS { lab in
        try lab.make("old", days: -1)
        try lab.make("elsewhere", names: "DNS:elsewhere.example,IP:127.0.0.9")
        for (name, words) in [("old", "its certificate has expired, on 20"), ("elsewhere", "of another host")] {
          var (_, address) = try lab.server(name)
          address.tls.authorities = lab.file("ca")
          for host in ["127.0.0.1", "localhost"] {
            address.host = host
            let text = await failure(address)
            #expect(text.contains(words) && text.contains("cannot be trusted"), "\(text)")
          }
        }
      }
    }

    @Test("a server without TLS, and one with nothing else, are named for what they are, at once")
    func otherKind() async throws {
      try await withTLS { lab in
        let (server, secure) = try lab.server()
        let clock = ContinuousClock()
        let begun = clock.now
        var address = server.address
        address.isSecure = true
        let plain = await failure(address)
        #expect(plain.contains("redis://…, for the server speaks without TLS"), "\(plain)")
        address = secure
        address.isSecure = false
        let encrypted = await failure(address)
        #expect(encrypted.contains("rediss://…, for the server speaks TLS only"), "\(encrypted)")
        #expect(clock.now - begun < .seconds(8))
      }
    }

    @Test("a server that wants a certificate of its clients says so")
    func clients() async throws {
      try await withTLS { lab in
        var (_, address) = try lab.server(wantsCertificates: true)
        address.tls.authorities = lab.file("ca")
        let text = await failure(address)
        #expect(text.contains("cert= and key="), "\(text)")
        (address.tls.certificate, address.tls.key) = (lab.file("me"), lab.key("me"))
        #expect(await failure(address) == "none")
        address.tls.key = lab.key("server")
        let mixed = await failure(address)
        #expect(mixed.contains("belong together"), "\(mixed)")
      }
    }

    @Test("a map says why, in one error")
    func error() async throws {
      try await withTLS { lab in
        let (_, address) = try lab.server()
        let backend = WorkerPool.Backend.cluster(
          engine: .redis(address.url + "?ca=\(lab.file("other"))"), launch: .local(agents: 1))
        let error = await #expect(throws: WorkerPoolError.self) {
          try await withWorkerPool(backend) { try await $0.map([1], with: Square()) }
        }
        #expect(says(error, "nobody of ca= has signed"), "\(String(describing: error))")
      }
    }

    @Test("the command looks at a queue behind TLS, by its URL and by the file that agents read")
    func command() async throws {
      try await withTLS { lab in
        let (_, address) = try lab.server()
        var named = address
        named.tls.authorities = lab.file("ca")
        let engine = RedisEngine(named, job: "secure")
        _ = try await engine.open(Manifest().bytes)
        let millrace = "\(Files.built)/millrace cluster status"
        let byURL = try Files.output(of: "\(millrace) '\(address.url)?ca=\(lab.file("ca"))' 2>&1")
        #expect(byURL.contains("job secure: running"), "\(byURL)")
        named.tls = try named.tls.read()
        try Files.write("\(lab.folder)/agent", AgentSettings(named, job: "secure").text, mode: 0o600)
        let byFile = try Files.output(of: "\(millrace) @\(lab.folder)/agent 2>&1")
        #expect(byFile.contains("job secure: running"), "\(byFile)")
        let untrusted = try Files.output(of: "\(millrace) '\(address.url)' 2>&1")
        #expect(untrusted.contains("cannot be trusted"), "\(untrusted)")
        await engine.close()
      }
    }
  }
}
#endif
