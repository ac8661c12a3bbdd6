/// Work on items, with resources that live as long as the worker does.
///
/// A pool makes one instance of the state for each slot: ``setUp(_:)`` runs there before the first item, ``process(_:state:)``
/// for each item, one at a time, and ``tearDown(_:)`` at the end. The value itself is the configuration: for worker
/// processes it is encoded once and sent to each of them, so it must be `Codable` there or made of values only (see
/// ``MemberwiseTransport``), and so must `Input`, `Output` and `Exit`.
///
/// ```swift
/// struct Numbered: Worker {
///   func setUp(_ context: WorkerContext) -> Int { 0 }
///   func process(_ line: String, state count: inout Int) -> String {
///     count += 1
///     return "\(count): \(line)"
///   }
/// }
/// ```
///
/// A worker that keeps nothing between items is a ``StatelessWorker``.
///
/// What an item needs to know of its place (slot, index, attempt, cancellation, random numbers, logger) is in
/// ``WorkerContext/current``.
///
/// Each requirement may be met by a method that is neither `async` nor throwing, which then costs nothing extra. Several
/// resources belong in one state: ``Resources`` closes them in reverse, by itself.
public protocol Worker<Input, Output>: Sendable {
  /// What an item is.
  associatedtype Input: Sendable
  /// What becomes of it.
  associatedtype Output: Sendable
  /// What the worker keeps between items: connections, models, counters. It never leaves its slot.
  associatedtype State = Void
  /// What the worker hands back when it ends.
  associatedtype Exit: Sendable = Void

  /// Opens what the worker needs. Runs in the worker. An error means that no item can be run here.
  func setUp(_ context: WorkerContext) async throws -> State

  /// Turns an item into an output. An error is this item's alone; the worker goes on.
  func process(_ item: Input, state: inout State) async throws -> Output

  /// Closes what `setUp` opened, and hands back a last value.
  ///
  /// Where somebody waits for just that (``WorkerPool/tearDown(_:)``, the end of a pipeline), and the worker's slot is at an item of another worker,
  /// it runs beside that item on threads, tasks and serial pools: on the same thread where the slot has one, when the item awaits something.
  func tearDown(_ state: State) async throws -> Exit

  /// Runs the items of a chunk, one after the other. Not for you to implement: it is a requirement so that the loop is
  /// compiled for your type, with your `process` inlined in it.
  func _run(_ run: inout _ItemRun<Input, Output>, _ state: inout State) async -> _RunEnd
}

extension Worker {
  /// Nothing right ever picks this. A type whose `process` is not what a worker needs is told what to write, where it would
  /// hear that "protocol requires nested type 'Input'".
  @available(
    *, unavailable,
    message:
      "write 'func process(_ item: Input, state: inout State) async throws -> Output'; without a state, adopt 'StatelessWorker'"
  )
  public func process(_ item: Never, state: inout State) async throws -> Never {}
}

extension Worker where State == Void {
  /// Nothing to set up.
  public func setUp(_ context: WorkerContext) { context.position.note(.opensNothing, Self.self) }
}

extension Worker where Exit == Void {
  /// Nothing to tear down.
  public func tearDown(_ state: State) { WorkerContext.running?.position.note(.closesNothing, Self.self) }
}
