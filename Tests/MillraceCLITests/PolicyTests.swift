#if CLI
import Testing

@testable import MillraceCLI

@Suite struct PolicyTests {
  @Test(
    "When --halt stops, and with which exit code, as in GNU parallel",
    arguments: [
      ("now,fail=1", [0, 3, 2, 0, 0], 2, 3),
      ("soon,fail=2", [3, 0, 4, 1, 0, 1, 1], 3, 2),
      ("soon,success=1", [3, 0, 4], 2, 0),
      ("now,done=2", [3, 4, 1], 2, 2),
      ("soon,done=2", [0, 4, 1], 2, 1),
      ("soon,fail=50%", [3, 0, 4, 1, 0, 1, 1], 6, 58),
      ("soon,fail=50%", [0, 3, 2, 0, 0], nil, 40),
      ("soon,fail=30%", [0, 4, 2, 1, 1, 1, 1], 4, 43),
      ("40%", [0, 1, 1, 1, 0], 3, 40),
      ("soon,success=40%", [3, 0, 4, 1, 0, 1, 1], nil, 72),
      ("2", [1, 5], 1, 1),
      ("-1", [1, 0, 5], 2, 0),
      ("never", [0, 1, 9], nil, 2),
    ] as [(String, [Int32], Int?, Int32)])
  func halt(policy: String, codes: [Int32], stopsAfter: Int?, exitCode: Int32) throws {
    var tally = Tally(policy: try HaltPolicy.parse(policy), total: codes.count)
    var stopped: Int?
    for (index, code) in codes.enumerated() where stopped == nil {
      if tally.record(code: code) { stopped = index + 1 }
    }
    #expect(stopped == stopsAfter)
    #expect(tally.exitCode == exitCode)
  }

  @Test(
    "U221: no percentage beyond all jobs; nor what is no policy",
    arguments: [
      "", "now", "later,fail=1", "now,fail", "now,fail=0", "now,fail=x", "now,fail=1,2", "3", "101%", "now,fail=101%",
      "9223372036854775807%", "now,fail=9223372036854775807%",
    ])
  func wrongHalt(text: String) {
    #expect(throws: UsageError.self) { try HaltPolicy.parse(text) }
  }

  @Test(arguments: [("10", 10.0), ("1.5", 1.5), ("2m", 120), ("1h30m", 5400), ("1d", 86400), ("0.5s", 0.5)])
  func timeout(text: String, seconds: Double) throws {
    #expect(try TimeLimit.parse(text) == .nanoseconds(UInt64(seconds * 1e9)))
  }

  @Test(arguments: ["", "0", "-1", "x", "1x", "nan", "inf", "1e9", "m", "0%", "x%"])
  func wrongTimeout(text: String) {
    #expect(throws: UsageError.self) { try TimeLimit.parse(text) }
  }

  @Test("U221: limits stay within their numbers, whatever the percentage", arguments: ["1e300%", "1e17%", "1e16%"])
  func longLimits(text: String) throws {
    var median = RunningMedian()
    for _ in 1...3 { median.add(1_000_000_000) }
    let limit = try #require(try TimeLimit.parse(text).limit(median))
    #expect(limit >= 100_000_000_000_000_000 && limit <= 1_000_000_000_000_000_000)
  }

  @Test func medianOfFewIsExactAndOfManyIsClose() throws {
    var median = RunningMedian()
    #expect(TimeLimit.percentOfMedian(200).limit(median) == nil)
    for value in [5, 1, 4] as [UInt64] { median.add(value) }
    #expect(median.median == 4)
    #expect(TimeLimit.percentOfMedian(200).limit(median) == 8)
    var many = RunningMedian()
    for value in 0..<10_000 as Range<UInt64> { many.add(value * 7919 % 10_000) }
    #expect((4500...5500).contains(try #require(many.median)))
  }

  @Test(arguments: [("4", 4), ("+2", 10), ("-3", 5), ("-100", 1), ("50%", 4), ("1%", 1), ("150%", 12), ("0", 1000)])
  func width(text: String, expected: Int) throws {
    #expect(try WidthOption.parse(text).width(cpus: 8) == expected)
  }

  @Test(arguments: ["", "x", "4x", "%", "-%", "0%", "nan%", "1.5"])
  func wrongWidth(text: String) {
    #expect(throws: UsageError.self) { try WidthOption.parse(text) }
  }

  @Test func noQuietAfterAJobThatWroteMuch() {
    let start = 1_000_000_000 as UInt64
    let quiet = QuietStart(isWanted: true)
    #expect(quiet.lasts(since: start, now: start) && !quiet.lasts(since: start, now: start + QuietStart.time))
    quiet.learn(100_000)
    #expect(!quiet.lasts(since: start, now: start))
    quiet.learn(100)
    #expect(quiet.lasts(since: start, now: start))
    let unwanted = QuietStart(isWanted: false)
    unwanted.learn(100)
    #expect(!unwanted.lasts(since: start, now: start))
  }

  @Test func logLineHasGNUsColumns() {
    let entry = JobLog.Entry(
      sequence: 2, started: 1_795_261_771_830_999, runtimeMilliseconds: 2, receivedBytes: 3, exitValue: 1, signal: 0,
      command: Bytes("echo 'a\nb'".utf8))
    #expect(JobLog.line(entry) == Bytes("2\t:\t1795261771.830\t     0.002\t0\t3\t1\t0\techo 'a\0b'\n".utf8))
  }
}
#endif
