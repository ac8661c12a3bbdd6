import MillraceIPC
import Synchronization

/// A map that is shown: one of this process, or one of a worker process's.
protocol ShownProgress: AnyObject {
  var style: ProgressStyle { get }
  /// When its plain lines are due. The board's thread's alone.
  var pace: ProgressPace { get set }
  /// Which of this process's it is.
  var number: Int { get }
}

enum ProgressNumber {
  private static let last = Atomic(0)
  static func next() -> Int { last.add(1, ordering: .relaxed).newValue }
}

/// Where a board's looks go: to a terminal, or from a worker process to the program that has one.
protocol ProgressSink: Sendable {
  func show(_ states: [(any ShownProgress, ProgressState)], at now: UInt64)
}

/// A map in a worker process, as far as that process has told. Its state is under the board's condition.
final class RemoteProgress: ShownProgress, @unchecked Sendable {
  // Sound: as said.

  /// The process, of a pool.
  struct Source: Hashable, Sendable {
    let pool: ObjectIdentifier
    let process: UInt64
  }

  let source: Source
  let style: ProgressStyle
  var pace: ProgressPace
  let number = ProgressNumber.next()
  /// Which of its process's it is, and the slot in whose item it was begun.
  let map: Int
  let slot: Int?
  var state: ProgressState

  init(_ record: ProgressRecord, from source: Source) {
    self.source = source
    style = record.style
    pace = .of(record.style)
    (map, slot, state) = (record.map, record.slot, record.state)
    take(record.state)
  }

  /// Its process has told more. Bars of nested pools are numbered by slot.
  func take(_ state: ProgressState) {
    self.state = state
    guard let slot else { return }
    self.state.name = state.name.isEmpty ? "#\(slot)" : "#\(slot) \(state.name)"
  }
}
