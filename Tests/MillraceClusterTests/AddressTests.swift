import Testing

@testable import MillraceCluster

@Suite struct AddressTests {
  @Test(
    "URLs of servers",
    arguments: [
      ("redis://", "127.0.0.1", 6379, nil, nil, 0), ("redis://host", "host", 6379, nil, nil, 0),
      ("redis://host:7000/3", "host", 7000, nil, nil, 3), ("redis://:secret@host", "host", 6379, nil, "secret", 0),
      ("redis://me:a%40b%3a@host:1/", "host", 1, "me", "a@b:", 0), ("redis://[::1]:5", "::1", 5, nil, nil, 0),
    ] as [(String, String, Int, String?, String?, Int)])
  func urls(_ text: String, _ host: String, _ port: Int, _ user: String?, _ password: String?, _ database: Int) throws {
    let address = try RedisAddress(text)
    #expect((address.host, address.port) == (host, port))
    #expect((address.user, address.password, address.database) == (user, password, database))
    #expect(try RedisAddress(address.url) == address)
    if let password { #expect(!"\(address)".contains(password)) }
  }

  @Test(
    "URLs that are none, without the password in what is said",
    arguments: ["host:6379", "http://host", "redis://host:0", "redis://host:x", "redis://:%4@host", "redis://h/x"])
  func refusals(_ text: String) { #expect(throws: EngineError.self) { try RedisAddress(text) } }

  @Test("U344: IPv6 addresses stand in brackets, also in what is said, and what is wrong with a URL is named")
  func named() throws {
    #expect("\(try RedisAddress("redis://[::1]:6379"))" == "redis://[::1]:6379/0")
    #expect("\(try RedisAddress("redis://[fe80::2]"))" == "redis://[fe80::2]:6379/0")
    for (text, words) in [
      ("redis://::1:6379", "brackets, as redis://[::1]:6379"), ("redis://::1", "brackets"),
      ("redis://:secret@fe80::2:6379/0", "brackets"), ("redis://[::1:6379", "brackets"),
      ("redis://host#x", "without a #"), ("redis://host:6379#x", "without a #"),
      ("redis://host:6379/0#x", "without a #"),
    ] {
      let error = #expect(throws: EngineError.self) { try RedisAddress(text) }
      #expect(error?.description.contains(words) == true, "\(text): \(String(describing: error))")
      #expect(error?.description.contains("secret") == false)
    }
    // A password may have one.
    #expect(try RedisAddress("redis://:a#b@h").password == "a#b")
    #expect(throws: EngineError.self) { try AgentSettings(url: "redis://h?job=night#x") }
  }

  @Test("URLs of servers with TLS, and what they trust")
  func secure() throws {
    let address = try RedisAddress("rediss://me:p%3F@host:7000/3?ca=/etc/a%26b.pem&cert=/c&key=/k&verify=none")
    #expect(address.isSecure && address.port == 7000 && address.database == 3 && address.password == "p?")
    #expect((address.tls.authorities, address.tls.certificate, address.tls.key) == ("/etc/a&b.pem", "/c", "/k"))
    #expect(!address.tls.verifies && "\(address)" == "rediss://host:7000/3")
    #expect(try RedisAddress("rediss://h").tls == RedisTLS())
    for wrong in ["redis://h?ca=/x", "rediss://h?ca=", "rediss://h?ca", "rediss://h?verify=no", "rediss://h?cafile=/x"]
    {
      #expect(throws: EngineError.self) { try RedisAddress(wrong) }
    }
    // An agent elsewhere does not have the files: what stood in them travels, each in one line.
    var read = address
    let pem = "-----BEGIN CERTIFICATE-----\nMIIB\nAQ==\n-----END CERTIFICATE-----\n"
    (read.tls.authorities, read.tls.certificate, read.tls.key) = (pem, nil, nil)
    let settings = try AgentSettings(text: AgentSettings(read, job: "night").text)
    let found = try settings.address()
    #expect(found.tls.authorities == String(pem.dropLast()) && !found.tls.verifies && found.isSecure)
    #expect(found.password == "p?" && !settings.url.contains("BEGIN"))
    let typed = try AgentSettings(url: "rediss://h:1/0?ca=/etc/ca.pem&job=night&slots=4")
    #expect(try typed.address().tls.authorities == "/etc/ca.pem" && typed.job == "night")
    #expect(throws: EngineError.self) { try AgentSettings(url: "redis://h?ca=/x&job=night").address() }
  }

  @Test("an agent's settings, as text and as a URL")
  func settings() throws {
    var settings = AgentSettings(url: "redis://:p%40@h:1/0", job: "night")
    (settings.slots, settings.leaseMilliseconds, settings.isTethered) = (4, 500, true)
    #expect(try AgentSettings(text: settings.text) == settings)
    let typed = try AgentSettings(url: "redis://h:1/0?job=night&slots=4")
    #expect((typed.url, typed.job, typed.slots) == ("redis://h:1/0", "night", 4))
    for wrong in ["redis://h", "redis://h?job=x&slots=0", "redis://h?job=x&lease=1"] {
      #expect(throws: EngineError.self) { try AgentSettings(url: wrong) }
    }
    // U211: lines as other systems' editors end them.
    let others = try AgentSettings(text: "url=redis://h:1/0\r\njob=night\r\nslots=4\r\n\r\n")
    #expect((others.url, others.job, others.slots) == ("redis://h:1/0", "night", 4))
    let unknown = #expect(throws: EngineError.self) { try AgentSettings(url: "redis://h?job=x&slot=4") }
    #expect(
      unknown?.description
        == "an agent has no setting slot; there are url, job, slots, lease, tether, name, ca, cert, key, verify")
  }
}
