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
  }
}
