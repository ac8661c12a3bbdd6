/// How far a map in a worker process is, on its way to the program: a line of the worker's standard error, like what its logger says
/// (``LogRecord``), so it is in order with that.
struct ProgressRecord: Equatable {
  /// What is drawn of it.
  enum Form: String { case bar, compact, lines, json }

  /// Which of its process's maps.
  var map: Int
  /// The slot in whose item it was begun, if it was begun in one.
  var slot: Int?
  var form: Form
  var state: ProgressState

  private static let word = "progress"

  /// nil: nothing is drawn of it.
  init?(map: Int, slot: Int?, style: ProgressStyle, state: ProgressState) {
    switch style.kind {
    case .none, .custom: return nil
    case .bar(let isCompact): form = isCompact ? .compact : .bar
    case .lines: form = .lines
    case .json: form = .json
    }
    (self.map, self.slot, self.state) = (map, slot, state)
  }

  var style: ProgressStyle {
    switch form {
    case .bar: .bar(state.name, unit: state.unit)
    case .compact: .compact(state.name, unit: state.unit)
    case .lines: .lines(state.name, unit: state.unit)
    case .json: .json(state.name, unit: state.unit)
    }
  }

  /// The line, with its end.
  var bytes: [UInt8] {
    func text(_ value: (some Any)?) -> String { value.map { "\($0)" } ?? "" }
    return RecordLine.bytes([
      Self.word, "\(map)", text(slot), form.rawValue, state.name, state.detail, state.unit, "\(state.done)",
      "\(state.failed)", "\(state.retried)", text(state.total), "\(state.elapsed.nanoseconds)", text(state.rate),
      text(state.remaining?.nanoseconds), state.phase.rawValue,
    ])
  }

  /// Reads what stands between the mark and the end of the line; nil if that is something else.
  init?(_ bytes: some Collection<UInt8>) {
    guard bytes.starts(with: Self.word.utf8), let fields = RecordLine.fields(bytes), fields.count == 15,
      fields[0] == Self.word, let map = Int(fields[1]), let form = Form(rawValue: fields[3]),
      let done = Int(fields[7]), let failed = Int(fields[8]), let retried = Int(fields[9]),
      let elapsed = UInt64(fields[11]), let phase = ProgressState.Phase(rawValue: fields[14]), done >= 0, failed >= 0,
      done <= .max / 2, failed <= .max / 2
    else { return nil }
    (self.map, slot, self.form) = (map, Int(fields[2]), form)
    state = ProgressState(
      name: fields[4], detail: fields[5], unit: fields[6], done: done, failed: failed, retried: retried,
      total: Int(fields[10]),
      elapsed: .nanoseconds(elapsed), rate: Double(fields[12]).flatMap { $0.isFinite ? $0 : nil },
      remaining: UInt64(fields[13]).map { .nanoseconds($0) }, phase: phase)
  }
}
