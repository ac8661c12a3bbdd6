#if CLI
  /// In which order results are delivered.
  enum DeliveryOrder: Sendable {
    case completion
    case input
  }

  /// Runs `run` over the inputs, at most `width` at once, each in a thread that may block, and hands every result to
  /// `deliver`, one at a time.
  ///
  /// An input is read when a slot is free for it, never ahead. In input order at most `window` results wait for an
  /// earlier one; then no new job starts.
  func runJobs<Inputs: Sequence, Output: Sendable>(
    inputs: Inputs, width: Int, order: DeliveryOrder, window: Int = 4096,
    run: @escaping @Sendable (_ input: Inputs.Element, _ index: Int, _ slot: Int) -> Output,
    deliver: @escaping @Sendable (Output) -> Void
  ) async where Inputs.Iterator: SendableMetatype {
    let floor = JobFloor(inputs.makeIterator(), width: width, order: order, window: max(window, width), run, deliver)
    await withCheckedContinuation { continuation in
      floor.start { continuation.resume() }
    }
  }

  /// The slots, their threads, and what waits for delivery.
  private final class JobFloor<Iterator: IteratorProtocol & SendableMetatype, Output: Sendable>: @unchecked Sendable {
    // Sound: `iterator` and `read` are used under `reading` alone, everything else that changes under `state`.
    private var iterator: Iterator
    private var read = 0
    private let reading = ThreadLock()

    private let state = ThreadLock()
    private var slots = 0
    private var started = 0
    private var isExhausted = false
    private var finished = 0
    private var delivered = 0
    private var isDelivering = false
    private var waiting: [Int: Output] = [:]
    private var onEnd: (@Sendable () -> Void)?

    private let width: Int
    private let order: DeliveryOrder
    private let window: Int
    private let run: @Sendable (Iterator.Element, Int, Int) -> Output
    private let deliver: @Sendable (Output) -> Void

    init(
      _ iterator: Iterator, width: Int, order: DeliveryOrder, window: Int,
      _ run: @escaping @Sendable (Iterator.Element, Int, Int) -> Output, _ deliver: @escaping @Sendable (Output) -> Void
    ) {
      self.iterator = iterator
      self.width = width
      self.order = order
      self.window = window
      self.run = run
      self.deliver = deliver
    }

    func start(_ onEnd: @escaping @Sendable () -> Void) {
      state.lock()
      self.onEnd = onEnd
      slots = 1
      state.unlock()
      launch(slot: 0)
    }

    private func launch(slot: Int) {
      // Without a thread of its own the slot works in this one; that is slower, not wrong.
      do { try startThread { self.work(slot) } } catch { if slot == 0 { work(slot) } else { leave() } }
    }

    private func work(_ slot: Int) {
      while let (input, index) = take() {
        addSlot()
        let output = run(input, index, slot)
        finish(output, index)
      }
      leave()
    }

    private func take() -> (Iterator.Element, Int)? {
      state.lock()
      while order == .input && started - delivered >= window { state.wait() }
      started += 1
      state.unlock()
      reading.lock()
      defer { reading.unlock() }
      guard let input = iterator.next() else { return nil }
      defer { read += 1 }
      return (input, read)
    }

    /// Each slot that got work opens the next, so there are never more threads than jobs.
    private func addSlot() {
      state.lock()
      let slot = slots
      let isWanted = slot < width && !isExhausted
      if isWanted { slots += 1 }
      state.unlock()
      if isWanted { launch(slot: slot) }
    }

    private func finish(_ output: Output, _ index: Int) {
      state.lock()
      defer { state.unlock() }
      waiting[order == .input ? index : finished] = output
      finished += 1
      guard !isDelivering else { return }
      isDelivering = true
      while let next = waiting.removeValue(forKey: delivered) {
        state.unlock()
        deliver(next)
        state.lock()
        delivered += 1
      }
      isDelivering = false
      state.wakeAll()
    }

    private func leave() {
      state.lock()
      isExhausted = true
      slots -= 1
      let end = slots == 0 ? onEnd : nil
      state.unlock()
      end?()
    }
  }
#endif
