#if CLI
/// When to stop before all jobs are done (`--halt`), and the exit code that follows from it.
///
/// It only counts.
struct HaltPolicy: Equatable, Sendable {
  enum Moment: String, Sendable {
    case soon, now
  }

  enum Reason: String, Sendable {
    case fail, success, done

    var pastTense: String {
      switch self {
      case .fail: "failed"
      case .success: "succeeded"
      case .done: "ended"
      }
    }
  }

  enum Threshold: Equatable, Sendable {
    case count(Int)
    case percent(Int)
  }

  var moment: Moment
  var reason: Reason
  var threshold: Threshold

  var needsTotal: Bool { if case .percent = threshold { true } else { false } }

  /// Reads `now,fail=1`, `soon,success=30%` and the old numbers; `never` is nil.
  static func parse(_ text: String) throws -> HaltPolicy? {
    switch text {
    case "never", "0": return nil
    case "1": return HaltPolicy(moment: .soon, reason: .fail, threshold: .count(1))
    case "2": return HaltPolicy(moment: .now, reason: .fail, threshold: .count(1))
    case "-1": return HaltPolicy(moment: .soon, reason: .success, threshold: .count(1))
    case "-2": return HaltPolicy(moment: .now, reason: .success, threshold: .count(1))
    default: break
    }
    if text.hasSuffix("%"), let percent = Int(text.dropLast()), percent > 0 {
      return HaltPolicy(moment: .soon, reason: .fail, threshold: .percent(try checked(percent, text)))
    }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    let condition = parts.last?.split(separator: "=", omittingEmptySubsequences: false) ?? []
    guard parts.count == 2, condition.count == 2,
      let moment = Moment(rawValue: String(parts[0])), let reason = Reason(rawValue: String(condition[0])),
      let number = Int(condition[1].hasSuffix("%") ? condition[1].dropLast() : condition[1]), number > 0
    else {
      throw UsageError(
        "--halt '\(Shown.text(text))' is not never, or now or soon with fail, success or done, as in now,fail=1")
    }
    return HaltPolicy(
      moment: moment, reason: reason,
      threshold: condition[1].hasSuffix("%") ? .percent(try checked(number, text)) : .count(number))
  }

  private static func checked(_ percent: Int, _ text: String) throws -> Int {
    guard percent <= 100 else { throw UsageError("--halt '\(Shown.text(text))' is more than all jobs, 100%") }
    return percent
  }
}

/// What has happened so far, and what it means.
struct Tally: Equatable, Sendable {
  let policy: HaltPolicy?
  /// Number of jobs, where the policy has to know.
  let total: Int?
  private(set) var failed = 0
  private(set) var succeeded = 0
  /// The exit code that the policy decided on.
  private(set) var haltedWith: Int32?

  init(policy: HaltPolicy?, total: Int? = nil) {
    self.policy = policy
    self.total = total
  }

  /// Counts a job that has ended; `code` is its exit code, or 128 and its signal.
  ///
  /// Returns true when the policy says to stop, once.
  mutating func record(code: Int32) -> Bool {
    if code == 0 { succeeded += 1 } else { failed += 1 }
    guard let policy, haltedWith == nil else { return false }
    let counted =
      switch policy.reason {
      case .fail: (count: failed, matches: code != 0)
      case .success: (count: succeeded, matches: code == 0)
      case .done: (count: failed + succeeded, matches: true)
      }
    guard counted.matches else { return false }
    switch policy.threshold {
    case .count(let limit):
      guard counted.count >= limit else { return false }
      // As in GNU parallel: a single job's own code, or how many failed.
      haltedWith = policy.reason == .success ? 0 : limit == 1 ? code : MillraceExit.failedJobs(failed)
    case .percent(let limit):
      guard counted.count * 100 >= limit * max(total ?? 0, 1) else { return false }
      haltedWith = policy.reason == .success ? 0 : percentFailed
    }
    return true
  }

  private var percentFailed: Int32 {
    let total = max(self.total ?? 0, 1)
    return Int32(min((failed * 100 + total - 1) / total, 100))
  }

  var exitCode: Int32 {
    if let haltedWith { return haltedWith }
    return policy?.needsTotal == true ? percentFailed : MillraceExit.failedJobs(failed)
  }
}
#endif
