import Millrace
import MillraceIPC
import Testing

/// What goes over a worker process's control socket.
struct ControlNewsTests {
  private static let token = SharedToken(
    id: SharedID(high: 1, low: .max), form: .memory, signature: 1 << 56, size: 17, offset: 4_096)

  static let all: [ControlNews] = [
    .configure(environment: [:]),
    .configure(environment: ["PATH": "/usr/bin:/bin", "EMPTY": "", "GONE": nil, "": "no name", "ünï": "cödé\n"]),
    .logging(label: "ünï", level: "debug"),
    .lane(number: 0, slot: 0, cpus: []),
    .lane(number: 7, slot: 63, cpus: [0, 1, 1_023]),
    .segment(lane: 3, id: .max),
    .cancel(lane: 1, 7...7),
    .cancel(lane: 0, 0 ... .max),
    .shared([]),
    .shared([token, token]),
    .forget([]),
    .forget([token.id]),
    .made(lane: 2, chunk: .max, token),
    .elsewhere(bytes: 70_000),
    .end,
  ]

  @Test(arguments: all)
  func comesBack(news: ControlNews) throws {
    #expect(try ControlNews(bytes: news.bytes) == news)
  }

  @Test(arguments: all)
  func whatIsCutOrLongerIsRefused(news: ControlNews) {
    let bytes = news.bytes
    for count in 0..<bytes.count {
      // An environment or a list of CPUs may end after any of them, and the last text in its padding.
      if let shorter = try? ControlNews(bytes: Array(bytes[..<count])) {
        #expect(shorter.bytes.count == (count + 7) & ~7)
      }
    }
    #expect(throws: WireProblem.self) { try ControlNews(bytes: bytes + [1]) }
    #expect(throws: WireProblem.self) { try ControlNews(bytes: []) }
  }

  @Test func nonsenseIsRefused() {
    func words(_ words: UInt64...) -> [UInt8] {
      words.flatMap { word in (0..<8).map { UInt8(word >> ($0 * 8) & 0xff) } }
    }
    #expect(throws: WireProblem.self) { try ControlNews(bytes: words(0)) }
    #expect(throws: WireProblem.self) { try ControlNews(bytes: words(10)) }
    #expect(throws: WireProblem.self) { try ControlNews(bytes: words(11)) }
    #expect(throws: WireProblem.self) { try ControlNews(bytes: words(9, 0, 2, 1)) }
    #expect(throws: WireProblem.self) { try ControlNews(bytes: words(4, 0)) }
    #expect(throws: WireProblem.self) { try ControlNews(bytes: words(3, 0, 1 << 32)) }
    #expect(throws: WireProblem.self) { try ControlNews(bytes: words(2, 0, 0, 1 << 31)) }
    #expect(throws: WireProblem.self) { try ControlNews(bytes: words(1, .max, .max)) }
  }
}
