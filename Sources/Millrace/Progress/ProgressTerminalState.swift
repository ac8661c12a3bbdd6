import MillraceIPC

/// What is written to standard error, one piece at a time: frames of bars, lines above them, plain lines.
package final class ProgressTerminalState: ProgressSink {
  private struct State {
    var screen = BarScreen()
    /// Lines that could not be written yet, as the device takes nothing: a few, for they are old by then.
    var late: [String] = []
    /// Whoever read it has gone.
    var isGone = false
  }
  private let state = Lock(State())
  private let device: any ProgressDevice
  /// How long a line that stays may wait for a device that takes nothing.
  private static let patience: Int32 = 1_000

  init(_ device: any ProgressDevice) { self.device = device }

  /// The terminal may be another than it was: the program was stopped, and others have written.
  func mayHaveChanged() { state.withLock { $0.screen.letGo() } }

  /// A look at all maps; those that are over are shown for the last time.
  func show(_ states: [(any ShownProgress, ProgressState)], at now: UInt64) {
    let traits = device.traits
    state.withLock { state in
      guard !state.isGone else { return }
      let columns = max(2, device.columns ?? 80)
      var (bars, lines): ([String], [String]) = ([], [])
      for (tracker, progress) in states {
        switch tracker.style.kind {
        case .none, .custom: break
        case .bar(let isCompact) where traits.drawsBars:
          let line = ProgressLine(
            isCompact: isCompact, isUnicode: traits.isUnicode, hasColour: traits.hasColour
          ).text(progress, columns: columns - 1)
          if progress.phase == .running { bars.append(line) } else { lines.append(line) }
        case .bar, .lines:
          if tracker.pace.isDue(progress, at: now) {
            lines.append(ProgressLine.log(progress, hasColour: traits.isColourForced))
          }
        case .json:
          if tracker.pace.isDue(progress, at: now) { lines.append(ProgressLine.json(progress)) }
        }
      }
      put(lines, bars: bars, columns, traits, &state)
    }
  }

  /// Lines of somebody else's, above the bars.
  package func print(_ text: String) {
    state.withLock { state in
      guard !state.isGone else { return }
      var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      if lines.count > 1, lines.last == "" { lines.removeLast() }
      let columns = max(2, device.columns ?? 80)
      if state.screen.isEmpty {
        write(lines.map { $0 + "\n" }.joined(), &state)
      } else {
        let bars = state.screen
        if write(state.screen.print(lines, columns: columns), &state) != .written { state.screen = bars }
      }
    }
  }

  /// Somebody else writes to the terminal, whole lines or not: without the bars, which are there again after it.
  package func aside<Result, Failure: Error>(
    endsLine: () -> Bool = { true }, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let result: Swift.Result<Result, Failure> = state.withLock { state in
      let columns = max(2, device.columns ?? 80)
      let before = state.screen
      let (text, bars) = state.screen.erase(columns: columns)
      if !bars.isEmpty, write(text, &state) != .written { state.screen = before }
      let result: Swift.Result<Result, Failure>
      do throws(Failure) { result = .success(try body()) } catch { result = .failure(error) }
      if !bars.isEmpty, state.screen.isEmpty {
        write(state.screen.frame(bars: bars, columns: columns, afterText: !endsLine()), &state)
      }
      return result
    }
    return try result.get()
  }

  private func put(_ lines: [String], bars: [String], _ columns: Int, _ traits: TerminalTraits, _ state: inout State) {
    let lines = state.late + lines
    guard traits.drawsBars, !bars.isEmpty || !state.screen.isEmpty else {
      var rest = lines[...]
      while !rest.isEmpty {
        let piece = rest.prefix(Self.count(of: rest))
        let answer = write(piece.map { $0 + "\n" }.joined(), &state)
        if answer != .written { return keep(Array(rest), unless: answer, &state) }
        rest = rest.dropFirst(piece.count)
      }
      return state.late = []
    }
    guard device.isInForeground else {
      // Another program has the terminal: it is not drawn upon, and when it is ours again, we begin below.
      state.screen.letGo()
      keep(lines, unless: .busy, &state)
      return
    }
    let before = state.screen
    let most = max(1, (device.rows ?? 24) - 1)
    let shown = bars.count <= most ? bars : bars.prefix(most - 1) + ["... and \(bars.count - most + 1) more"]
    let text = state.screen.frame(lines: lines, bars: Array(shown), columns: columns)
    let answer = write(text, &state, patience: lines.isEmpty ? 0 : Self.patience)
    if answer != .written { state.screen = before }
    keep(lines, unless: answer, &state)
  }

  /// How many lines can be written at once, or not at all; one at least.
  private static func count(of lines: ArraySlice<String>) -> Int {
    var bytes = 0
    let whole = lines.prefix { line in
      bytes += line.utf8.count + 1
      return bytes <= StandardErrorDevice.piece
    }
    return max(1, whole.count)
  }

  private func keep(_ lines: [String], unless answer: DeviceAnswer, _ state: inout State) {
    state.late = answer == .busy ? Array(lines.suffix(100)) : []
  }

  @discardableResult
  private func write(_ text: String, _ state: inout State, patience: Int32 = patience) -> DeviceAnswer {
    let answer = device.write(text, patience: patience)
    if answer == .gone {
      state.isGone = true
      state.screen.letGo()
    }
    return answer
  }
}

/// The terminal that bars are drawn on.
public enum ProgressTerminal {
  /// Writes lines to standard error, whole, above the bars if there are any. For log handlers, and for whatever a program has to say
  /// while bars are drawn: what is written past them would be mixed up with the bars.
  public static func print(_ text: String) { ProgressBoard.shared.terminal.print(text) }
}
