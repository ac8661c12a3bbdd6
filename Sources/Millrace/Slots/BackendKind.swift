/// What a pool's slots are made of, before there are any: how many there may be, what the dispatcher may expect of them, and how
/// they are made.
///
/// A backend is a type that conforms to this, and the ``Slots`` that it makes. It is put into a ``WorkerPool/Backend``, which is
/// what users hold.
package protocol BackendKind: Sendable {
  /// How users would write it, without its lesser options.
  func description(width: String) -> String

  /// How many slots there may be.
  var widths: ClosedRange<Int> { get }

  /// What its workers can do that not all can.
  var abilities: BackendAbilities { get }

  /// What the dispatcher may expect of the slots, and has to allow them.
  var limits: DispatchLimits { get }

  /// Makes the slots of a pool, none of which is started yet. The host is not theirs to keep alive.
  ///
  /// - Throws: ``InvalidOption`` if an option of the backend's means nothing; ``WorkerPoolError`` where there can be no such slots.
  func makeSlots(_ host: any SlotHost, width: Int) throws -> any Slots
}

extension BackendKind {
  package var widths: ClosedRange<Int> { 1...WorkerPool.Backend.maximumWidth }
}

/// What the workers of some backends can do, and those of others cannot.
package struct BackendAbilities: OptionSet, Sendable {
  package let rawValue: Int
  package init(rawValue: Int) { self.rawValue = rawValue }

  /// They are in this process: they share its memory, and see the task-local values of whoever made the map.
  package static let sharesMemory = BackendAbilities(rawValue: 1)
  /// Whatever ends one of them costs an item, and not the program.
  package static let survivesCrashes = BackendAbilities(rawValue: 2)
  /// They say how much memory they have, so that they can be replaced for it.
  package static let measuresMemory = BackendAbilities(rawValue: 4)
  /// What they write to standard output, standard error and their loggers comes to the program, and failures quote it.
  package static let relaysOutput = BackendAbilities(rawValue: 8)
  /// Their code may use Dispatch and Swift's default executor, `Task.sleep` among it: not in copies of the program.
  package static let usesDispatch = BackendAbilities(rawValue: 16)
  /// A slot is no place of a worker's, but a chunk that is out: whoever takes that has workers, as many as he likes.
  package static let sharesWorkers = BackendAbilities(rawValue: 32)
  /// They can be closures, and other workers without a name: they are in this program, or can be copies of it.
  package static let runsClosures = BackendAbilities(rawValue: 64)
  /// They are on this machine: what is shared, as a `SharedArray` is, reaches them.
  package static let sharesObjects = BackendAbilities(rawValue: 128)
}
