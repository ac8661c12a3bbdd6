/// Several tasks on one pool, whose evaluations are interwoven in strides: a few of the first, a few of the second, and so on, and
/// never more results in memory than the buffer holds.
///
/// A task is a function over an input; the input is a sequence, or the output of tasks that were added before. One evaluation of a
/// task is a tasklet. They are submitted in an order that depends on the tasks alone: ``stride`` tasklets of the first task, as many
/// of the second, and so on round, each with its input as soon as that is there.
///
/// ```swift
/// let loom = try StridedMap(on: pool, stride: 2, buffer: 6)
/// let angles = try loom.add(readings) { radians($0) }
/// let sines = try loom.add(angles) { sin($0) }
/// for try await sine in sines { print(sine) }
/// ```
///
/// Take from all outputs in turn: *begin the next stride of an output only when this stride of all outputs is taken.* Whoever
/// does never waits in vain, with the default buffer or a larger one. Whoever does not, and would wait for ever, is told from which output to
/// take first, by a ``StridedMapError``.
///
/// The map begins with the first result that is asked for, or with ``start()``, and goes on as far as the buffer allows. It
/// ends with its inputs, with ``stop()``, with ``cancel()``, or when the map and all of its outputs are dropped. The pool may run other
/// maps meanwhile, strided ones too.
public final class StridedMap: Sendable {
  /// How many tasklets of one task come before any of the next.
  public let stride: Int
  let life: StridedLife
  var run: StridedRun { life.run }

  /// Creates a map without tasks.
  ///
  /// - Parameters:
  ///   - pool: What runs the tasklets.
  ///   - stride: How many tasklets of one task come before any of the next. Default: the pool's width; fewer leave slots idle.
  ///   - buffer: How many results may be to come or to be taken, of all tasks together. Default: a stride of each task. Tasks that take
  ///     each other's results need less: `stride` is enough for a chain.
  ///   - order: In which order an output gives its results. Tasks take those of others in the order of the input in any case, so
  ///     results of one index stay together.
  ///   - skipsTimedOut: Whether ``StridedOutput/next(within:)`` gives up the result that does not come in time: the next call then
  ///     waits for the one after it. Else it may be taken later. Refused unless the order is that of the input.
  ///   - isTraced: Whether ``trace`` is kept, which grows with the input.
  /// - Throws: ``InvalidOption`` if the stride is below 1, the buffer below the stride, or a result is to be skipped where there
  ///   is none that is next.
  public init(
    on pool: WorkerPool, stride: Int? = nil, buffer: Int? = nil, order: MapOptions.Order = .input,
    skipsTimedOut: Bool = false, isTraced: Bool = false
  ) throws {
    let stride = stride ?? pool.width
    guard (1...Self.maximum).contains(stride) else {
      throw InvalidOption(name: "stride", value: stride, allowed: "1 to \(Self.maximum)")
    }
    if let buffer, buffer < stride {
      throw InvalidOption(name: "buffer", value: buffer, allowed: "at least the stride, which is \(stride)")
    }
    guard order == .input || !skipsTimedOut else {
      throw InvalidOption(
        name: "skipsTimedOut", value: "true", allowed: "false with order: .completion, where no result is the next")
    }
    self.stride = stride
    let machine = StrideMachine(
      stride: stride, buffer: buffer, isOrdered: order == .input, skipsTimedOut: skipsTimedOut)
    life = StridedLife(StridedRun(on: pool, machine, isTraced: isTraced))
  }

  /// So that no product of it overflows.
  private static let maximum = 1 << 30

  /// Begins, if the map has not yet: what the buffer has room for is read and run.
  ///
  /// What tasklets see of a task's context (task-local values, priority) is that of whoever begins the map.
  ///
  /// - Throws: ``InvalidOption`` if the buffer is too small for the tasks; an error if an input cannot be read; a ``WorkerPoolError`` of
  ///   kind `foreignPool` in a worker process, which has a copy of the map.
  public func start() throws { try run.start() }

  /// Reads no further than to the end of the stride of each task that has begun.
  ///
  /// The outputs end when what was read has come out of them; no item is lost half-way. An asynchronous input that has nothing at
  /// the moment is cancelled at the boundary. In a worker process, which has a copy of the map, it does nothing, and the log says so.
  public func stop() { if run.isHere("stop()") { run.stop() } }

  /// Gives everything up at once: who waits gets a `CancellationError`, and so does who asks later. In a worker process, which has a copy
  /// of the map, it does nothing, and the log says so.
  public func cancel() { if run.isHere("cancel()") { run.end(CancellationError()) } }

  /// Which tasklets were submitted, in their order; empty unless the map was made with `isTraced`.
  ///
  /// What failed in an earlier task of a chain is not run, and not in it.
  public var trace: [StridedTasklet] { run.trace }
}

/// Ends the run when the map and its outputs are gone.
final class StridedLife: Sendable {
  let run: StridedRun

  init(_ run: StridedRun) { self.run = run }

  deinit { run.end(CancellationError()) }
}
